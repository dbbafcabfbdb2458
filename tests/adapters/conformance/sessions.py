"""Sessions kept by the app itself, for builds whose framework has none of its own."""

import secrets
from dataclasses import dataclass, field
from typing import Final

import flowaudit

from .app import LOGIN, PASSWORD, Reply

__all__ = ["COOKIE", "Sessions", "sign_in_form"]

COOKIE: Final = "sid"


def sign_in_form(body: bytes) -> tuple[str, bool]:
    """The name in a form, and whether the password is right."""
    fields = dict(part.split("=", 1) for part in body.decode().split("&") if "=" in part)
    return fields.get("name", ""), fields.get("pw") == PASSWORD.replace(" ", "+")


@dataclass
class Sessions:
    """Who is signed in, by the value of a cookie."""

    people: dict[str, str | None] = field(default_factory=dict)

    def who(self, cookie: str | None) -> str | None:
        """The name of whoever is signed in, told as `user:NAME`."""
        name = self.people.get(cookie or "")
        if name is not None:
            flowaudit.identify(f"user:{name}")
        return name

    def begin(self, name: str | None) -> dict[str, str]:
        """The header that gives a new session."""
        key = secrets.token_urlsafe(16)
        self.people[key] = name
        return {"set-cookie": f"{COOKIE}={key}; Path=/; HttpOnly"}

    def sign_in(self, body: bytes) -> Reply:
        """Sign in, or show the form again."""
        name, is_right = sign_in_form(body)
        if not is_right:
            flowaudit.login_failed(name, known=True)
            return Reply(body=b"again")
        flowaudit.login(f"user:{name}", name=name)
        return Reply(headers=self.begin(name))

    def sign_out(self, cookie: str | None) -> Reply:
        """Sign out; ends at the sign-in page."""
        self.who(cookie)
        flowaudit.logout()
        self.people.pop(cookie or "", None)
        return Reply(302, b"", {"location": LOGIN})
