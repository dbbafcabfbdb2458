"""Opens a vault where it is."""

from ..errors import VaultError
from .place import DatabaseUrl, Place
from .tokens import Vault

__all__ = ["open_vault", "vault_exists"]


def open_vault(place: Place, *, timeout_s: float = 10.0) -> Vault:
    """The vault of that place, whatever keeps it. Nothing is opened before its first question.

    Each question raises `VaultError` if the vault cannot answer within `timeout_s`.
    """
    if isinstance(place, DatabaseUrl):
        raise VaultError(f"{place} is a database, not a file")
    return Vault(place, timeout_s=timeout_s)


def vault_exists(place: Place) -> bool:
    """Whether there is a vault to ask; a database tells only once it is asked."""
    return isinstance(place, DatabaseUrl) or place.exists()
