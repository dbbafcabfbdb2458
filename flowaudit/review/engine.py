"""Run the detections over a set of events."""

from collections.abc import Iterator, Mapping
from typing import Any

from ..journeys.engine import Engine
from .catalogue import load_rules
from .cluster import find
from .context import MAINTAINED, SCANNED, make_context, make_matched, parameters_for
from .declarations import Declarations, parse_declarations
from .finding import SEVERITIES, Finding, NotJudged, Review, Suppressed
from .rule import Rule

__all__ = ["review"]


def review(
    engine: Engine,
    declared: Mapping[str, Any] | None = None,
    *,
    names: Mapping[str, str] | None = None,
) -> Review:
    """What all detections say of the events in an engine.

    Args:
        engine: where the events are.
        declared: the section `[review]` of the policy file.
        names: for tokens, who that is; put into the sentences for people, nowhere else.

    Raises `SettingError` for a wrong declaration.
    """
    rules = load_rules()
    smallest = {r.id: {n: p.minimum for n, p in r.parameters.items()} for r in rules}
    declarations = parse_declarations(declared or {}, smallest)
    make_context(engine, declarations)
    known = _known_logins(engine, names) if names else {}
    findings: list[Finding] = []
    not_judged: list[NotJudged] = []
    suppressed: list[Suppressed] = []
    ran: list[str] = []
    for rule in rules:
        reason = _off(rule, declarations)
        if reason:
            suppressed.append(Suppressed(rule.id, _looked_at(engine, rule), f"off: {reason}"))
            continue
        ran.append(rule.id)
        findings += _run(engine, rule, declarations, known)
        not_judged += _gaps(engine, rule)
        suppressed += _left_out(engine, rule, declarations)
    findings.sort(key=_most_severe_first)
    return Review(tuple(findings), tuple(not_judged), tuple(suppressed), tuple(ran))


def _known_logins(engine: Engine, names: Mapping[str, str]) -> Mapping[str, str]:
    """The names, and for hashes of typed names those of the accounts that they opened."""
    opened = engine.rows(
        "SELECT login, MIN(actor), COUNT(DISTINCT actor) FROM events"
        " WHERE kind = 'auth' AND action = 'login' AND login IS NOT NULL AND actor IS NOT NULL"
        " GROUP BY login"
    )
    logins = {login: names[a] for login, a, actors in opened if actors == 1 and a in names}
    return logins | dict(names)


def _most_severe_first(finding: Finding) -> tuple[int, int, str, list[str], int]:
    rank = SEVERITIES.index(finding.severity)
    return (-rank, -finding.last_ts, finding.id, [*finding.key.values()], finding.first_ts)


def _off(rule: Rule, declarations: Declarations) -> str:
    setting = declarations.rules.get(rule.id)
    return setting.off if setting else ""


def _run(
    engine: Engine, rule: Rule, declarations: Declarations, names: Mapping[str, str]
) -> list[Finding]:
    parameters = {name: parameter.default for name, parameter in rule.parameters.items()}
    setting = declarations.rules.get(rule.id)
    if setting is not None:
        parameters |= setting.parameters
    make_matched(engine, rule, parameters, declarations)
    engine.keep("hit", rule.sql, parameters_for(rule.sql, parameters))
    return find(engine, rule, parameters, names)


def _looked_at(engine: Engine, rule: Rule) -> int:
    return _counts(engine, [rule.filter])[0]


def _gaps(engine: Engine, rule: Rule) -> Iterator[NotJudged]:
    counts = _counts(engine, [gap.where for gap in rule.not_judged])
    for gap, number in zip(rule.not_judged, counts, strict=True):
        if number:
            yield NotJudged(rule.id, number, gap.why)


def _left_out(engine: Engine, rule: Rule, declarations: Declarations) -> Iterator[Suppressed]:
    reasons = "; ".join(dict.fromkeys(window.reason for window in declarations.maintenance))
    asked = (
        (declarations.scanners, SCANNED, "declared scanners"),
        (declarations.maintenance, MAINTAINED, f"declared maintenance: {reasons}"),
    )
    for declared, where, why in asked:
        if declared:
            (number,) = _counts(engine, [f"({rule.filter}) AND {where}"])
            if number:
                yield Suppressed(rule.id, number, why)


def _counts(engine: Engine, conditions: list[str]) -> list[int]:
    """How many events fit each condition."""
    if not conditions:
        return []
    counts = ", ".join(f"COUNT(*) FILTER (WHERE {condition})" for condition in conditions)
    (row,) = engine.rows(f"SELECT {counts} FROM events")
    return list(row)
