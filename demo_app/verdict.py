"""The review held against what was planted: is every attack found, is nobody accused wrongly?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flowaudit.journeys.engine import Engine
from flowaudit.review.finding import Finding, Review

from .week import Planted

__all__ = ["Verdict", "judge"]

_EVENTS_OF = (
    "SELECT seq, client, actor FROM events WHERE seq IN (SELECT value FROM behind) ORDER BY seq"
)


Doer = tuple[str | None, str | None]
"""Address and identity of whoever made an event."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of the planted attacks."""

    found: tuple[tuple[Planted, Finding], ...]
    missed: tuple[Planted, ...]
    accused: tuple[Finding, ...]
    """Findings with an event of somebody honest."""

    @property
    def is_right(self) -> bool:
        """Every attack found, nobody accused."""
        return not self.missed and not self.accused


def judge(
    engine: Engine, review: Review, planted: Sequence[Planted], names: Mapping[str, str]
) -> Verdict:
    """Compare findings with the attacks that took place.

    Args:
        engine: where the events are.
        review: what the detections said.
        planted: the attacks.
        names: token → identity.
    """
    accusations = [(f, _doers(engine, f, names)) for f in review.findings]
    found, missed = [], []
    for attack in planted:
        proof = next((f for f, doers in accusations if _proves(f, attack, doers)), None)
        if proof is None:
            missed.append(attack)
        else:
            found.append((attack, proof))
    guilty: set[Doer] = {(address, None) for attack in planted for address in attack.addresses}
    guilty |= {(address, attack.identity) for attack in planted for address in attack.addresses}
    accused = tuple(f for f, doers in accusations if doers - guilty)
    return Verdict(tuple(found), tuple(missed), accused)


def _proves(finding: Finding, attack: Planted, doers: set[Doer]) -> bool:
    """The rule's finding, made of events from the attack's own addresses and account."""
    return finding.id == attack.rule and all(
        client in attack.addresses and identity in (None, attack.identity)
        for client, identity in doers
    )


def _doers(engine: Engine, finding: Finding, names: Mapping[str, str]) -> set[Doer]:
    """(address, identity) of each event behind a finding."""
    engine.view("behind", list(finding.events))
    return {
        (client, names.get(actor) if actor else None)
        for _, client, actor in engine.rows(_EVENTS_OF)
    }
