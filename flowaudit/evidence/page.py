"""The page in a pack, for somebody who reads neither code nor logs: what, and how sure it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..errors import EventError
from ..event import Core, Entry, Personal, decode_core, decode_personal
from ..proofs.verify import is_sealed_only
from ..report.lone_page import asset, content_policy, markup, page_environment
from ..report.words import amount, moment, period
from .contents import Opening

__all__ = ["Unseen", "render_pack"]

SHOWN: Final = 1_000
"""Events that the page has; `events.jsonl` has all."""

_RESULTS: Final = {
    "ok": "was done",
    "denied": "was refused",
    "hidden": "was refused, as if it did not exist",
    "throttled": "was refused: too many requests",
    "missing": "does not exist",
    "invalid": "was not accepted",
    "error": "failed",
    "aborted": "was broken off by the caller",
}
_DEEDS: Final = {
    ("auth", "login"): "signed in",
    ("auth", "logout"): "signed out",
    ("auth", "login-failed"): "tried to sign in, and could not",
    ("auth", "reset"): "set a new password",
    ("auth", "grant"): "was given a right",
    ("auth", "revoke"): "lost a right",
    ("auth", "enabled"): "had the account enabled",
    ("auth", "disabled"): "had the account disabled",
    ("auth", "deleted"): "had the account deleted",
    ("ops", "erase"): "erased a person's data",
    ("ops", "key"): "replaced the key that signs the log",
    ("process", "key"): "the key that signs the log was made",
    ("ops", "manual"): "recorded something that was done by hand",
    ("ops", "deploy"): "deployed the application",
    ("access", "read"): "read the log",
    ("access", "export"): "exported from the log",
    ("process", "start"): "a process of the application began",
    ("process", "stop"): "a process of the application ended",
    ("process", "heartbeat"): "a process of the application was alive",
    ("websocket", "accept"): "opened a lasting connection",
    ("websocket", "close"): "ended a lasting connection",
    ("websocket", "refuse"): "was refused a lasting connection",
    ("request", "received"): "a request began",
    ("request", "finished"): "a request ended",
    ("gap", None): "events were lost",
    ("note", None): "the application noted something",
}


@dataclass(frozen=True, slots=True)
class Unseen:
    """What of the log was not looked at for a pack."""

    missing: int = 0
    """Places that were asked for and have no event in it."""
    archived: int = 0
    """Entries in archives that were not at hand."""
    pruned: int = 0
    """Entries that nobody has any more."""


@dataclass(frozen=True, slots=True)
class _Row:
    """An event as a line of the table."""

    seq: int
    when: str
    who: str
    what: str
    result: str
    outcome: str
    where: str


def render_pack(
    manifest: Mapping[str, Any],
    entries: Sequence[Entry],
    openings: Sequence[Opening],
    statement: Mapping[str, Any],
    seen: int = 0,
    unseen: Unseen | None = None,
) -> str:
    """The page, as HTML, with how many checkpoints are there that others have seen.

    Raises `MissingExtraError` without Jinja.
    """
    style = asset(__package__, "pack.css")
    names = {each.token: each.identity for each in openings}
    asked = set(manifest["seqs"])
    rows = [_row(entry, names) for entry in entries if entry.seq in asked]
    return (
        page_environment(__package__)
        .get_template("pack.html")
        .render(
            csp=content_policy(style),
            style=markup(style),
            m=manifest,
            s=statement,
            by=names.get(manifest.get("by", ""), manifest.get("by")),
            made=moment(manifest["made"]),
            span=period(manifest["first"], max(manifest["first"], manifest["end"] - 1)),
            rows=rows[:SHOWN],
            more=max(0, len(rows) - SHOWN),
            names=sorted(names.items(), key=lambda item: item[1]),
            asked_for=_asked_for(manifest, names),
            erased=sum(is_sealed_only(entry) for entry in entries if entry.seq in asked),
            related=len(entries) - len(asked),
            amount=amount,
            root=statement["root"],
            seen=seen,
            unseen=unseen or Unseen(),
        )
    )


def _asked_for(manifest: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """What the pack was made about, in words."""
    if "finding" in manifest:
        return f"the events behind the finding {manifest['finding']}"
    if "actors" in manifest:
        told = [names.get(token, _short(token)) for token in manifest["actors"]]
        return f"the events of {' and '.join(told)}"
    return f"{amount(len(manifest['seqs']), 'event')} by their place in the log"


def _row(entry: Entry, names: Mapping[str, str]) -> _Row:
    try:
        core = decode_core(entry.core)
        personal = decode_personal(entry.personal) if entry.personal else Personal()
    except EventError:
        return _Row(entry.seq, "", "", "cannot be read", "", "", "")
    is_erased = is_sealed_only(entry)
    return _Row(
        seq=entry.seq,
        when=moment(core.ts or 0, seconds=True),
        who=_who(core, names),
        what=_what(core, personal),
        result=_result(core),
        outcome=core.outcome or "",
        where="(erased)" if is_erased else personal.client or "",
    )


def _who(core: Core, names: Mapping[str, str]) -> str:
    if core.actor is None:
        return {"anonymous": "somebody not signed in", "bot": "a bot"}.get(
            core.actor_kind or "", "the system" if core.kind in ("process", "ops", "gap") else "–"
        )
    name = names.get(core.actor, _short(core.actor))
    return f"{names.get(core.via, _short(core.via))} as {name}" if core.via else name


def _what(core: Core, personal: Personal) -> str:
    deed = _DEEDS.get((core.kind or "", core.action), _DEEDS.get((core.kind or "", None), ""))
    target = personal.path or core.route or ""
    if core.kind == "request" and core.action is None:
        return f"{core.method or ''} {target}".strip() or "a request"
    return f"{deed or f'{core.kind} {core.action or str()}'.strip()} {target}".strip()


def _result(core: Core) -> str:
    said = _RESULTS.get(core.outcome or "", core.outcome or "")
    why = "" if core.reason in (None, core.outcome) else f" ({core.reason})"
    return f"{said}{why}"


def _short(token: str) -> str:
    return f"token {token[:10]}…" if len(token) > 12 else token
