"""One request as the clinic's handlers see it: who asks, in which session, and how to answer."""

from typing import Annotated, Final
from urllib.parse import parse_qsl, quote

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

import flowaudit

from .pages import layout
from .store import Account, Clinic, Session

__all__ = ["COOKIE", "Visit", "Visiting"]

COOKIE: Final = "clinic_session"


class Visit:
    """A request with its session; makes one if there is none."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.clinic: Clinic = request.app.state.clinic
        self.session: Session = (
            self.clinic.find_session(request.cookies.get(COOKIE)) or self.clinic.open_session()
        )

    @property
    def account(self) -> Account | None:
        """Who is signed in."""
        return self.session.account

    async def form(self) -> dict[str, str]:
        """The posted fields."""
        body = (await self.request.body()).decode("utf-8", "replace")
        return dict(parse_qsl(body))

    def page(self, title: str, body: str, status: int = 200) -> Response:
        """An HTML answer."""
        who = self.account.name if self.account else None
        return self._with_cookie(HTMLResponse(layout(title, body, who), status))

    def go(self, target: str) -> Response:
        """A redirect after a form, or to somewhere better."""
        return self._with_cookie(RedirectResponse(target, 303))

    def sign_in_first(self) -> Response:
        """To the sign-in page, and back."""
        return self.go(f"/login?next={quote(self.request.url.path)}")

    def refuse(self, reason: str) -> Response:
        """Not allowed, and told so."""
        flowaudit.deny(reason)
        return self.page("Not allowed", "<p>You may not see this page.</p>", 403)

    def pretend_missing(self) -> Response:
        """It exists, but whoever asks is not to know."""
        flowaudit.hide()
        return self.missing()

    def missing(self) -> Response:
        """It does not exist."""
        return self.page("Not found", "<p>There is no such page.</p>", 404)

    def wrong(self, what: str) -> Response:
        """The form was not filled in right."""
        return self.page("Please check the form", f"<p>{what}</p>", 422)

    def is_forged(self, form: dict[str, str]) -> bool:
        """Whether a form does not carry this session's token."""
        return form.get("token") != self.session.token

    def _with_cookie(self, response: Response) -> Response:
        if self.request.cookies.get(COOKIE) != self.session.number:
            response.set_cookie(COOKIE, self.session.number, httponly=True, samesite="lax")
        return response


async def _visit(request: Request) -> Visit:
    visit = Visit(request)
    if visit.account is not None:
        flowaudit.identify(visit.account.identity, roles=[visit.account.role])
    return visit


Visiting = Annotated[Visit, Depends(_visit)]
"""A handler's parameter of this type is the visit."""
