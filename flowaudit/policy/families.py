"""Which family of programs a User-Agent names: an AI agent, a bot, or neither.

The list is `crawler-user-agents` (MIT, kept up to date month by month), with its tags. What a
client says of itself proves nothing: a family is what it declares, not what it is.
"""

import re
from collections.abc import Iterable
from functools import cache
from typing import Final, NamedTuple

from crawleruseragents import CRAWLER_USER_AGENTS_DATA

__all__ = ["family_of", "load_families"]

ACTS_FOR_A_PERSON: Final = re.compile(r"-User\b|Agent")
"""How vendors name what acts on a person's word (`ChatGPT-User`), beside what collects."""

LIBRARY: Final = ["http-library"]
"""Tags of a plain HTTP client: it says nothing of who uses it."""

BOT_WITH_VERSION: Final = re.compile(r"(.*(?:[bB]ot|[cC]rawler|[sS]pider))\\/")
"""Patterns of the list that want a version after a name that says by itself what it is."""


class _Families(NamedTuple):
    agents: re.Pattern[str]
    bots: re.Pattern[str]


def family_of(user_agent: str, declared: Iterable[str] = ()) -> str | None:
    """`agent`, `bot` or `None`. Takes up to half a millisecond: to be remembered.

    An agent is an AI that acts on somebody's word: one of `declared` (any part of the
    User-Agent, in any case), one that the list tags both `ai-crawler` and `browser-automation`,
    or one of either tag whose name says so. Everything else on the list is a bot, but for plain
    HTTP libraries.
    """
    lowered = user_agent.lower()
    families = load_families()
    if any(word.lower() in lowered for word in declared) or families.agents.search(user_agent):
        return "agent"
    return "bot" if families.bots.search(user_agent) else None


@cache
def load_families() -> _Families:
    """Compile the list: some tens of milliseconds, to be spent at start-up."""
    agents: list[str] = []
    bots: list[str] = []
    for entry in CRAWLER_USER_AGENTS_DATA:
        pattern, tags = str(entry["pattern"]), list(entry.get("tags", []))
        if tags == LIBRARY:
            continue
        (agents if _is_agent(pattern, tags) else bots).append(f"(?:{_with_bare_name(pattern)})")
    return _Families(re.compile("|".join(agents)), re.compile("|".join(bots)))


def _with_bare_name(pattern: str) -> str:
    """The pattern, also where a bot's name stands without its version (`PerplexityBot`)."""
    named = BOT_WITH_VERSION.fullmatch(pattern)
    return f"{named[1]}(?:\\/|[;,)]|$)" if named is not None else pattern


def _is_agent(pattern: str, tags: list[str]) -> bool:
    of_either = {"ai-crawler", "browser-automation"} & set(tags)
    return len(of_either) == 2 or bool(of_either and ACTS_FOR_A_PERSON.search(pattern))
