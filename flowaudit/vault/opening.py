"""Opens a vault where it is."""

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import MissingExtraError
from .base import AnyVault
from .place import DatabaseUrl, Place
from .tokens import Vault

__all__ = ["needed", "open_vault", "vault_exists"]


def open_vault(place: Place, *, timeout_s: float = 10.0, pause_s: float = 0.0) -> AnyVault:
    """The vault of that place, whatever keeps it. Nothing is opened before its first question.

    Each question raises `VaultError` if the vault cannot answer within `timeout_s`. A database
    that could not be reached is not asked again for `pause_s`: then they raise it at once.
    """
    if not isinstance(place, DatabaseUrl):
        return Vault(place, timeout_s=timeout_s)
    with needed():
        from .postgres import PostgresVault
    return PostgresVault(place, timeout_s=timeout_s, pause_s=pause_s)


@contextmanager
def needed() -> Iterator[None]:
    """Around the import of what needs PostgreSQL's library, which is an extra.

    Raises `MissingExtraError` where it is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError("psycopg", "postgres") from error


def vault_exists(place: Place) -> bool:
    """Whether there is a vault to ask; a database tells only once it is asked."""
    return isinstance(place, DatabaseUrl) or place.exists()
