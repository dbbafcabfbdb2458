"""Signing in and out."""

from fastapi import APIRouter
from fastapi.responses import Response

import flowaudit

from .pages import form
from .visit import Visiting

__all__ = ["router"]

router = APIRouter()


@router.get("/login")
async def ask(visit: Visiting) -> Response:
    """The sign-in page."""
    return _sign_in_page(visit, "")


@router.post("/login")
async def check(visit: Visiting) -> Response:
    """Name and password."""
    given = await visit.form()
    if visit.is_forged(given):
        return visit.refuse("csrf")
    name = given.get("name", "")
    account = visit.clinic.accounts.get(name)
    if account is None or given.get("password") != account.password:
        flowaudit.login_failed(name, known=account is not None)
        return _sign_in_page(visit, "<p>Name or password is wrong.</p>")
    visit.session = visit.clinic.open_session(account)
    flowaudit.login(account.identity, name=name, roles=[account.role])
    target = given.get("next", "/account")
    return visit.go(target if target.startswith("/") and target[1:2] != "/" else "/account")


@router.post("/logout")
async def leave(visit: Visiting) -> Response:
    """The session ends here, not only in the browser."""
    if visit.is_forged(await visit.form()):
        return visit.refuse("csrf")
    flowaudit.logout()
    visit.clinic.sessions.pop(visit.session.number, None)
    visit.session = visit.clinic.open_session()
    return visit.go("/")


def _sign_in_page(visit: Visiting, message: str) -> Response:
    fields = (("name", "Name"), ("password", "Password"))
    return visit.page("Sign in", message + form("/login", fields, visit.session.token, "Sign in"))
