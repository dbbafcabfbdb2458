"""Events as the scenarios tell them: whole, with people by name and sessions by number."""

from collections.abc import Iterable
from typing import Any, Final

from flowaudit import FlowAudit
from flowaudit.vault.tokens import Vault

from .build import Build

__all__ = ["Readable"]

VOLATILE: Final = ("v", "source", "n", "seq", "ts", "duration_us")
"""What differs from run to run by nature, and is left out of the comparison."""

NAMES: Final = ("ann", "bob", "nobody")


class Readable:
    """Turns tokens and keyed hashes back into what they stand for."""

    def __init__(self, audit: FlowAudit, build: Build) -> None:
        self._audit, self._build = audit, build

    def read(self, events: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """The events, in the order they were recorded."""
        self._sessions: dict[str, str] = {}
        with Vault(self._audit.paths.vault) as vault:
            self._vault = vault
            self._logins = {vault.keyed_hash("login", name): name for name in NAMES}
            return [self._one(event) for event in events]

    def _one(self, event: dict[str, Any]) -> dict[str, Any]:
        kept = {name: value for name, value in event.items() if name not in VOLATILE}
        for name in ("actor", "via"):
            if name in kept:
                kept[name] = self._person(kept[name])
        if "login" in kept:
            kept["login"] = self._logins.get(kept["login"], kept["login"])
        data = dict(kept.get("data") or {})
        if "previous_session" in data:
            data["previous_session"] = self._session(data["previous_session"])
        if "target" in data:
            data["target"] = self._person(data["target"])
        if data:
            kept["data"] = data
        if "session" in kept:
            kept["session"] = self._session(kept["session"])
        return kept

    def _person(self, token: str) -> str:
        identity = self._vault.identity(token) or f"nobody with the token {token}"
        return self._build.names.get(identity, identity)

    def _session(self, value: str) -> str:
        return self._sessions.setdefault(value, f"session {len(self._sessions) + 1}")
