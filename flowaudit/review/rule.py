"""A detection as written: an SQL file under a header of facts about it.

The header is TOML in the comment lines at the top of the file. Its words are those of Sigma rules
(title, id, status, description, level, tags, falsepositives), and what a review needs to run the
query and to speak of its result.
"""

from collections.abc import Mapping

import msgspec

from ..errors import QueryError
from .finding import Severity

__all__ = ["Arm", "Gap", "Parameter", "Rule", "parse_rule"]


class Parameter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A number of a rule that an operator may change."""

    default: int
    unit: str
    meaning: str
    minimum: int = 1


class Arm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way in which a rule fires."""

    window: str
    """The parameter that holds its window, in seconds."""
    thresholds: tuple[str, ...]
    """The parameters in force, told in a finding."""
    sentence: str
    """What is said of a finding: a format over the names of `wording.Facts`."""
    finding: str = ""
    """Arms of one name share a finding; each other name makes findings of its own."""
    doubled: tuple[str, ...] = ()
    """Thresholds that double for a shared source."""
    notes: Mapping[str, str] = {}
    """For values of the row's `detail`, a sentence to add."""
    is_walk: bool = False
    """Whether its items are ids whose order tells something."""


class Gap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Events that a rule cannot judge, and why."""

    why: str
    where: str
    """A condition over `events`."""


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One detection."""

    id: str
    title: str
    version: int
    status: str
    level: Severity
    """The least severity that its main arm gives."""
    description: str
    why: str
    """Why it matters."""
    action: str
    """What to do about a finding."""
    tags: tuple[str, ...]
    falsepositives: tuple[str, ...]
    appsensor: tuple[str, ...]
    attack: tuple[str, ...]
    if_allowed: str
    """The end of a sentence if something succeeded."""
    if_refused: str
    """The end of a sentence if nothing did."""
    filter: str
    """A condition over `events`: what the rule looks at. Its query finds that as `matched`."""
    fields: tuple[str, ...]
    """Columns of `matched`."""
    lookback_s: int
    """How far before an event the rule must see to judge it."""
    parameters: Mapping[str, Parameter]
    arms: Mapping[str, Arm]
    not_judged: tuple[Gap, ...] = ()
    agents: str = ""
    """A query for the User-Agents that the rule wants told apart, as the view `agent`."""
    spellings: str = ""
    """A query for the paths that the rule wants in one spelling, as the view `spelled`."""
    sql: str = ""
    """The query: one row for each event and arm, as `cluster.py` describes."""


def parse_rule(text: str) -> Rule:
    """A rule from the text of its file. Raises `QueryError` if the header is not one."""
    head, body = _split(text)
    try:
        rule = msgspec.toml.decode(head, type=Rule)
    except msgspec.MsgspecError as error:
        raise QueryError(f"the header of a rule is wrong: {error}") from error
    for name, arm in rule.arms.items():
        unknown = {arm.window, *arm.thresholds, *arm.doubled} - rule.parameters.keys()
        if unknown:
            raise QueryError(f"{rule.id}: arm {name} names no parameter: {sorted(unknown)}")
    return msgspec.structs.replace(rule, sql=body)


def _split(text: str) -> tuple[str, str]:
    """The header without its comment signs, and the query."""
    lines = text.splitlines()
    first = next((i for i, line in enumerate(lines) if not line.startswith("--")), len(lines))
    head = "\n".join(line.removeprefix("--").removeprefix(" ") for line in lines[:first])
    return head, "\n".join(lines[first:]).strip()
