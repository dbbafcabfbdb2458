"""What kind of actor a request has: as told, else by its User-Agent, else by its name."""

from collections.abc import Sequence
from typing import Final

from ..policy.families import family_of, load_families
from .facts import Facts

__all__ = ["ActorKinds", "kind_of_identity"]

CACHE_SIZE: Final = 4_096
"""User-Agents remembered; emptied when full."""

_KINDS: Final = frozenset(["user", "service", "agent", "bot", "anonymous", "system"])
_IN_NAMES: Final = frozenset(["service", "agent", "bot", "system"])


def kind_of_identity(identity: str | None) -> str:
    """The kind that an identity's prefix names, as in `service:cron`; else `user`."""
    prefix = identity.partition(":")[0] if identity else ""
    return prefix if prefix in _IN_NAMES else "user"


class ActorKinds:
    """Tells kinds of actors, and remembers families of User-Agents: to find one is slow."""

    def __init__(self, declared: Sequence[str] = ()) -> None:
        load_families()
        self._declared = declared
        self.families: dict[str | None, str | None] = {None: None}
        """Families found so far, for whoever looks here first."""

    def is_ready(self, facts: Facts) -> bool:
        """Whether `of` needs memory alone."""
        return facts.visitor.ua in self.families

    def of(self, facts: Facts, is_known: bool) -> str:
        """The kind of a request's actor; `is_known` if it names somebody."""
        said = facts.said_
        told = (said.actor_kind if said is not None else None) or facts.actor_kind
        if told in _KINDS:
            return told
        ua = facts.visitor.ua
        try:
            family = self.families[ua]
        except KeyError:
            family = self._find(ua)
        if family == "agent":
            return family
        return kind_of_identity(facts.identity) if is_known else family or "anonymous"

    def _find(self, ua: str | None) -> str | None:
        family = family_of(ua or "", self._declared)
        if len(self.families) >= CACHE_SIZE:
            self.families = {None: None}
        self.families[ua] = family
        return family
