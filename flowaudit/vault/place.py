"""Where a trail or a vault is: a file, or a PostgreSQL database."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from ..errors import SettingError

__all__ = ["DatabaseUrl", "Place", "is_database", "place_of"]

EXPECTED: Final = "postgresql://USER@HOST/DATABASE"

_SCHEME: Final = re.compile(r"postgres(?:ql)?:/?/?", re.IGNORECASE)
_SHOWN: Final = ("host", "port", "dbname", "user", "service")
"""What of a URL's query may be printed: never a password, nor where one is kept."""


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """A PostgreSQL database, as libpq's connection URI names it; as text without its password.

    Raises `SettingError` if the URI is malformed; its text does not hold the URI.
    """

    uri: str = field(repr=False)
    """As given: it may hold a password, and must not be printed."""

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.uri)
            is_whole = parts.scheme in ("postgresql", "postgres") and "://" in self.uri
            parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        except ValueError:
            is_whole = False
        if not is_whole or re.search(r"[\s\0]", self.uri):
            raise SettingError("database", "a URI that is not shown", EXPECTED)

    def __str__(self) -> str:
        parts = urlsplit(self.uri)
        account, at, host = parts.netloc.rpartition("@")
        shown = [f"{k}={v}" for k, v in parse_qsl(parts.query) if k in _SHOWN]
        query = "?" + "&".join(shown) if shown else ""
        return f"postgresql://{account.partition(':')[0]}{at}{host}{parts.path}{query}"

    @property
    def stem(self) -> str:
        """The database's name, for headings."""
        return urlsplit(self.uri).path.strip("/") or "flowaudit"


Place = Path | DatabaseUrl
"""A file of ours, or a database."""


def is_database(text: object) -> bool:
    """Whether a setting's text means a database: it begins like a PostgreSQL URI."""
    return isinstance(text, DatabaseUrl) or bool(_SCHEME.match(str(text)))


def place_of(given: str | os.PathLike[str] | DatabaseUrl) -> Place:
    """The place that a text or path means. Raises `SettingError` for a malformed URI."""
    if isinstance(given, DatabaseUrl):
        return given
    text = os.fspath(given)
    return DatabaseUrl(text) if is_database(text) else Path(text).absolute()
