"""The administrators' pages."""

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response

import flowaudit

from .pages import form, links
from .visit import Visit, Visiting

__all__ = ["router"]

router = APIRouter(prefix="/admin")

_PAGES = ("users", "export", "settings", "invoices", "sessions")


@router.get("")
async def overview(visit: Visiting) -> Response:
    """Where administrators start."""
    return _turned_away(visit) or visit.page("Office", links((f"/admin/{p}", p) for p in _PAGES))


@router.get("/users")
async def users(visit: Visiting) -> Response:
    """All accounts."""
    turned_away = _turned_away(visit)
    if turned_away:
        return turned_away
    flowaudit.resource("user", rows=len(visit.clinic.accounts))
    return visit.page("Accounts", links((f"/admin/users/{a}", a) for a in visit.clinic.accounts))


@router.get("/users/{login}")
async def user(visit: Visiting, login: str) -> Response:
    """One account."""
    turned_away = _turned_away(visit)
    if turned_away:
        return turned_away
    flowaudit.resource("user", login)
    if login not in visit.clinic.accounts:
        return visit.missing()
    return visit.page(login, f"<p>{visit.clinic.accounts[login].role}</p>")


@router.get("/export")
async def export(visit: Visiting) -> Response:
    """The accounts as a table."""
    turned_away = _turned_away(visit)
    if turned_away:
        return turned_away
    flowaudit.resource("user", rows=len(visit.clinic.accounts), privileged=True)
    return PlainTextResponse("\n".join(visit.clinic.accounts), media_type="text/csv")


@router.get("/settings")
async def settings(visit: Visiting) -> Response:
    """The portal's settings."""
    return _turned_away(visit) or visit.page("Settings", "<p>Opening hours: 8 to 18.</p>")


@router.get("/invoices")
async def invoices(visit: Visiting) -> Response:
    """What was charged."""
    return _turned_away(visit) or visit.page("Invoices", "<p>None open.</p>")


@router.get("/sessions")
async def sessions(visit: Visiting) -> Response:
    """Who is signed in."""
    n = sum(session.account is not None for session in visit.clinic.sessions.values())
    return _turned_away(visit) or visit.page("Sessions", f"<p>{n} people are signed in.</p>")


@router.get("/access")
async def ask_access(visit: Visiting) -> Response:
    """The form that gives a doctor access to a record."""
    fields = (("login", "Who"), ("record", "Record"))
    body = form("/admin/access", fields, visit.session.token, "Give access")
    return _turned_away(visit) or visit.page("Access", body)


@router.post("/access")
async def give_access(visit: Visiting) -> Response:
    """Give a doctor access to a record; the grant stands in the log."""
    turned_away = _turned_away(visit)
    if turned_away:
        return turned_away
    given = await visit.form()
    if visit.is_forged(given):
        return visit.refuse("csrf")
    account = visit.clinic.accounts.get(given.get("login", ""))
    number = given.get("record", "")
    record = visit.clinic.records.get(int(number)) if number.isdecimal() else None
    if account is None or record is None:
        return visit.wrong("There is no such account or record.")
    record.shared_with.add(account.login)
    flowaudit.resource("user", account.login, privileged=True)
    flowaudit.record("auth", "grant", target=account.identity, role=f"reader of record {number}")
    return visit.go("/admin")


def _turned_away(visit: Visit) -> Response | None:
    """The answer for whoever is no administrator."""
    if visit.account is None:
        return visit.sign_in_first()
    return None if visit.account.role == "admin" else visit.refuse("admin-only")
