"""What a rule of level `payload` names: JSON pointers, form keys, headers, and a bound in bytes."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from unicodedata import normalize
from urllib.parse import quote

from ..errors import SettingError
from ..event import Value
from .reading import texts

__all__ = [
    "PAYLOAD_KEYS",
    "Named",
    "Part",
    "Pointers",
    "ascii_key",
    "is_secret_name",
    "named_parts",
    "parse_pointer",
    "pointer_token",
    "query_names",
]

PAYLOAD_KEYS: Final = (
    "max_bytes",
    "request_json",
    "request_form",
    "request_headers",
    "response_json",
    "response_headers",
)

MAX_BYTES: Final = (65_536, 1_048_576)
"""Bytes of a body that are held and looked at: default, and most."""

MAX_NAMED: Final = 100
"""Names in one list."""

MAX_KEY: Final = 80
"""Characters of a pointer or form key as recorded: keys in an event are ASCII, at most 100."""

MAX_TOKENS: Final = 16
"""Tokens of a pointer: how deep a body is followed."""

_SAFE: Final = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) != "%")
_BAD_ESCAPE: Final = re.compile(r"~(?![01])")
_HEADER: Final = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,60}")

_SECRET_HEADERS: Final = frozenset(
    ["authorization", "cookie", "cookie2", "proxy-authorization", "set-cookie", "set-cookie2"]
)
_SECRET_ENDINGS: Final = (
    "authorization",
    "contrasena",
    "kennwort",
    "password",
    "passwort",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "credential",
    "sessionid",
    "cardnumber",
)
_SECRET_NAMES: Final = frozenset(
    "auth bearer cookie csrf cvc cvv iban jwt otp pass pin pwd session sid signature ssn totp"
    " xauth xsession".split()
)


@dataclass(frozen=True, slots=True)
class Pointers:
    """JSON pointers as a tree by token; `*` stands for every item of an array."""

    next: dict[str, "Pointers"] = field(default_factory=dict)
    is_end: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """What is named of one direction."""

    json: Pointers = Pointers()
    form: frozenset[str] = frozenset()
    headers: tuple[str, ...] = ()
    """In small letters."""


@dataclass(frozen=True, slots=True)
class Named:
    """What is kept of a request's and its response's payload."""

    max_bytes: int
    request: Part
    response: Part
    given: Mapping[str, list[str]]
    """As written in the policy file."""

    def told(self) -> dict[str, Value]:
        """As evidence of what was recorded."""
        return {"max_bytes": self.max_bytes, **{key: [*names] for key, names in self.given.items()}}


def named_parts(name: str, rule: Mapping[str, Any]) -> Named:
    """What the rule at `name` names. Raises `SettingError` that says which name is wrong."""
    lists = [key for key in PAYLOAD_KEYS if key != "max_bytes"]
    given = {key: _names(f"{name}.{key}", rule[key]) for key in lists if key in rule}
    return Named(
        max_bytes=_max_bytes(f"{name}.max_bytes", rule.get("max_bytes", MAX_BYTES[0])),
        request=Part(
            _pointers(f"{name}.request_json", given.get("request_json", [])),
            frozenset(_form_keys(f"{name}.request_form", given.get("request_form", []))),
            _headers(f"{name}.request_headers", given.get("request_headers", [])),
        ),
        response=Part(
            _pointers(f"{name}.response_json", given.get("response_json", [])),
            headers=_headers(f"{name}.response_headers", given.get("response_headers", [])),
        ),
        given=given,
    )


def parse_pointer(text: str) -> list[str]:
    """The tokens of a JSON pointer (RFC 6901). Raises `ValueError` if it is none."""
    if text and not text.startswith("/"):
        raise ValueError(text)
    if _BAD_ESCAPE.search(text):
        raise ValueError(text)
    return [token.replace("~1", "/").replace("~0", "~") for token in text.split("/")[1:]]


def pointer_token(key: str) -> str:
    """A member's name as it stands in a pointer, and as a key of an event."""
    return ascii_key(key.replace("~", "~0").replace("/", "~1"))


def ascii_key(text: str) -> str:
    """A name as a key of an event, percent-encoded where it is not printable ASCII."""
    return quote(text, safe=_SAFE, errors="replace")


def _names(name: str, value: object) -> list[str]:
    found = texts(name, value)
    if len(found) > MAX_NAMED:
        raise SettingError(name, f"{len(found)} names", f"at most {MAX_NAMED}")
    return found


def _max_bytes(name: str, value: object) -> int:
    most = MAX_BYTES[1]
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise SettingError(name, value, f"a whole number from 1 to {most}")
    return value


def _pointers(name: str, given: Iterable[str]) -> Pointers:
    tree: dict[str, Any] = {}
    for text in given:
        branch = tree
        for token in _tokens(name, text):
            branch = branch.setdefault(token, {})
        branch[""] = True
    return _tree(tree)


def _tokens(name: str, text: str) -> list[str]:
    try:
        tokens = parse_pointer(text)
    except ValueError:
        raise SettingError(
            name, text, "a JSON pointer (RFC 6901) such as /items/*/sku, with ~1 for / in a key"
        ) from None
    if len(tokens) > MAX_TOKENS or len("/".join(map(pointer_token, tokens))) >= MAX_KEY:
        raise SettingError(name, text, f"at most {MAX_TOKENS} parts and {MAX_KEY} characters")
    for token in tokens:
        _check_secret(name, text, token)
    # an empty key is a key too: the mark for the end must be another
    return [f"={token}" for token in tokens]


def _tree(branch: Mapping[str, Any]) -> Pointers:
    return Pointers(
        {token[1:]: _tree(rest) for token, rest in branch.items() if token}, "" in branch
    )


def _form_keys(name: str, given: Iterable[str]) -> Iterable[str]:
    for key in given:
        if not key or len(ascii_key(key)) > MAX_KEY:
            raise SettingError(name, key, f"a form key of 1 to {MAX_KEY} characters")
        _check_secret(name, key, key)
        yield key


def _headers(name: str, given: Iterable[str]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(header.lower() for header in given))
    for header in found:
        if not _HEADER.fullmatch(header):
            raise SettingError(name, header, "a header's name")
        if header in _SECRET_HEADERS:
            raise SettingError(
                name, header, "a header that holds no secret; this one never is kept"
            )
        _check_secret(name, header, header)
    return found


def query_names(given: Iterable[str]) -> frozenset[str]:
    """The query parameters that may be kept. Raises `SettingError` for one called like a secret."""
    names = frozenset(given)
    for each in sorted(names):
        _check_secret("query_keys", each, each)
    return names


def is_secret_name(name: str) -> bool:
    """Whether a key, header or parameter is called like a secret: `passwd`, `reset_token`."""
    plain = re.sub(r"[^a-z0-9]", "", normalize("NFKD", name.lower()))  # contraseña: contrasena
    one = plain.removesuffix("s")
    return plain in _SECRET_NAMES or one in _SECRET_NAMES or one.endswith(_SECRET_ENDINGS)


def _check_secret(name: str, given: str, word: str) -> None:
    """Refuse what by its own name is a secret: masking knows only what looks like one."""
    if is_secret_name(word):
        raise SettingError(name, given, "names that are not a secret's; such values never are kept")
