"""Honest people: what they come for, how long they think, and what goes wrong for them."""

import random
from collections.abc import Generator
from dataclasses import dataclass
from typing import Final

from .browser import Answer, Browser
from .clinic import NEWS
from .store import DOCTORS, SLOTS, Account

__all__ = ["AGENTS", "Person", "Script"]

Script = Generator[float, None, None]
"""What somebody does: it sends requests, and gives the seconds until it goes on."""

AGENTS: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like"
    " Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/18.1 Safari/605.1.15",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/131.0.0.0 Mobile Safari/537.36",
)

_CONCERNS: Final = ("cough", "back pain", "a check", "vaccination", "results", "prescription")


@dataclass(slots=True)
class Person:
    """Somebody with a browser and, perhaps, an account."""

    name: str
    browser: Browser
    rng: random.Random
    account: Account | None = None

    def thinks(self, seconds: float) -> float:
        """A pause around so many seconds; now and then a long one."""
        return seconds * self.rng.lognormvariate(0.0, 0.6)

    # -- patients ----------------------------------------------------------------------------

    def visit(self) -> Script:
        """One visit, for one of the things patients come for."""
        self.browser.forget(cookies=self.rng.random() < 0.5)
        if self.rng.random() < 0.12:
            self.browser.open("/news/" + self.rng.choice([*NEWS]), is_linked=False)
            yield self.thinks(40)
        elif self.rng.random() < 0.8:
            self.browser.open("/", is_linked=False)
            yield self.thinks(9)
        purpose = self.rng.choices(
            (self.book, self.look_at_account, self.read_news, self.read_records), (45, 25, 18, 12)
        )[0]
        yield from purpose()
        if self.browser.is_signed_in and self.rng.random() < 0.4:
            page = self.browser.open("/account")
            yield self.thinks(3)
            self.browser.post("/logout", {"token": page.token})

    def sign_in(self, page: Answer, next_path: str = "/account") -> Script:
        """On the sign-in page: mostly right at once, now and then with a slip."""
        if self.account is None:
            return
        while self.rng.random() < 0.07:
            yield self.thinks(9)
            page = self._try_password(page, self.account.password[:-1], next_path)
        yield self.thinks(7)
        self._try_password(page, self.account.password, next_path)

    def book(self) -> Script:
        """The booking flow, which not everybody ends."""
        if self.rng.random() < 0.4:
            self.browser.open("/doctors")
            yield self.thinks(15)
            self.browser.open("/doctors/" + self.rng.choice([*DOCTORS]))
            yield self.thinks(20)
        self.browser.open("/book")
        yield self.thinks(14)
        if self.rng.random() < 0.10:
            return
        doctor = self.rng.choice([*DOCTORS])
        self.browser.open(f"/book/{doctor}")
        self.browser.fetch(f"/api/slots/{doctor}")
        yield self.thinks(25)
        while self.rng.random() < 0.2:
            doctor = self.rng.choice([*DOCTORS])
            self.browser.open(f"/book/{doctor}")
            yield self.thinks(18)
        if self.rng.random() < 0.38:
            return
        yield from self._book_at(f"/book/{doctor}/{self.rng.choice(SLOTS)}")

    def _book_at(self, target: str) -> Script:
        page = self.browser.open(target)
        if page.path.startswith("/login"):
            if self.account is None or self.rng.random() < 0.15:
                yield self.thinks(5)
                return
            yield from self.sign_in(page, target)
            page = self.browser.open(target)
        yield self.thinks(35)
        if self.rng.random() < 0.08:
            return
        fields = {"concern": self.rng.choice(_CONCERNS), "phone": "0555 0100", "token": page.token}
        if self.rng.random() < 0.12:
            self.browser.post(target, {**fields, "phone": "later"})
            yield self.thinks(12)
        page = self.browser.post(target, fields)
        yield self.thinks(10)
        if self.rng.random() < 0.07:
            return
        self.browser.post("/book/confirm", {"token": page.token})
        yield self.thinks(6)

    def look_at_account(self) -> Script:
        """Own page, an appointment, perhaps messages."""
        if self.account is None:
            yield from self.read_news()
            return
        page = yield from self.enter("/account")
        numbers = [link for link in page.links if link.startswith("/appointments/")]
        if numbers:
            page = self.browser.open(self.rng.choice(numbers))
            yield self.thinks(20)
            if self.rng.random() < 0.08:
                self.browser.post(f"{page.path}/cancel", {"token": page.token})
                yield self.thinks(4)
        if self.rng.random() < 0.5:
            self.browser.open("/messages")
            yield self.thinks(15)

    def read_records(self) -> Script:
        """One's own records, one after the other."""
        if self.account is None:
            yield from self.read_news()
            return
        page = yield from self.enter("/records")
        for link in [link for link in page.links if link.startswith("/records/")][:4]:
            self.browser.open(link)
            yield self.thinks(30)

    def read_news(self) -> Script:
        """Some of the news."""
        for name in self.rng.sample([*NEWS], self.rng.randint(1, 3)):
            self.browser.open(f"/news/{name}")
            yield self.thinks(45)

    def enter(self, path: str) -> Generator[float, None, Answer]:
        """A page that needs a sign-in, with the sign-in if that is asked for."""
        page = self.browser.open(path)
        if page.path.startswith("/login"):
            yield from self.sign_in(page, path)
            page = self.browser.open(path)
        yield self.thinks(12)
        return page

    def _try_password(self, page: Answer, password: str, next_path: str) -> Answer:
        name = self.account.login if self.account else ""
        fields = {"name": name, "password": password, "next": next_path, "token": page.token}
        return self.browser.post("/login", fields)

    # -- staff -------------------------------------------------------------------------------

    def consult(self) -> Script:
        """A doctor's half day: one patient's record after the other."""
        self.browser.forget(cookies=True)
        page = yield from self.enter("/records")
        own = [link for link in page.links if link.startswith("/records/")]
        for link in self.rng.sample(own, min(len(own), self.rng.randint(8, 14))):
            page = self.browser.open(link)
            yield self.thinks(240)
            if self.rng.random() < 0.6:
                self.browser.post(f"{link}/notes", {"note": "seen", "token": page.token})
                yield self.thinks(200)
            self.browser.open("/records")
            yield self.thinks(60)

    def run_office(self) -> Script:
        """An administrator's round."""
        self.browser.forget(cookies=True)
        page = yield from self.enter("/admin")
        for _ in range(self.rng.randint(5, 12)):
            link = self.rng.choice([link for link in page.links if link.startswith("/admin/")])
            page_there = self.browser.open(link)
            yield self.thinks(70)
            accounts = [link for link in page_there.links if link.startswith("/admin/users/")]
            if accounts:
                self.browser.open(self.rng.choice(accounts))
                yield self.thinks(45)
        self.browser.open("/reports/waiting-times")
        yield self.thinks(60)

    def receive(self) -> Script:
        """Reception: appointments of people who stand there, and the reports."""
        self.browser.forget(cookies=True)
        yield from self.enter("/account")
        for _ in range(self.rng.randint(6, 12)):
            self.browser.open("/doctors")
            yield self.thinks(90)
            self.browser.open("/doctors/" + self.rng.choice([*DOCTORS]))
            yield self.thinks(240)
        self.browser.open("/reports/supplies")
        yield self.thinks(30)
