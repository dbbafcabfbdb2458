"""What the clinic keeps: accounts, records, appointments, sessions; all in memory."""

import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

__all__ = ["DOCTORS", "Account", "Appointment", "Clinic", "Draft", "Record", "Session"]

SESSION_S: Final = 8 * 3600
"""Seconds after its last use at which a session ends."""

FIRST_RECORD: Final = 1001
FIRST_APPOINTMENT: Final = 5001
SLOTS: Final = ("08-30", "09-15", "10-00", "11-30", "14-00", "15-45")

DOCTORS: Final = {
    "ahlgren": "Dr. Maja Ahlgren",
    "brandt": "Dr. Jonas Brandt",
    "costa": "Dr. Ines Costa",
    "dvorak": "Dr. Petr Dvořák",
    "eriksen": "Dr. Nora Eriksen",
    "farouk": "Dr. Samir Farouk",
}

_FIRST: Final = (
    "anna ben carla david elin felix greta henrik ida jakob karin lukas maria nils olga paul"
    " rosa simon tilda viktor wanda yusuf zoe adrian berta"
).split()
_LAST: Final = "berg lind holm dahl falk".split()


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who can sign in."""

    login: str
    password: str
    role: str
    name: str

    @property
    def identity(self) -> str:
        """How the log's vault knows them."""
        return f"user:{self.login}"


@dataclass(slots=True)
class Record:
    """A medical record; its patient and their doctor may read it, and who was given access."""

    number: int
    patient: str
    doctor: str
    text: str
    shared_with: set[str] = field(default_factory=set)

    def may_read(self, account: Account) -> bool:
        """Whether an account may see it."""
        return account.login in {self.patient, self.doctor} | self.shared_with


@dataclass(slots=True)
class Appointment:
    """A booked slot."""

    number: int
    patient: str
    doctor: str
    slot: str


@dataclass(slots=True)
class Draft:
    """A booking that is not confirmed yet."""

    doctor: str
    slot: str
    concern: str


@dataclass(slots=True)
class Session:
    """A browser's session, signed in or not."""

    number: str
    token: str
    """Must come back with every form."""
    used_at: float
    account: Account | None = None
    draft: Draft | None = None


class Clinic:
    """The whole store. One event loop uses it, so it needs no lock.

    Args:
        seed: makes the same people and records again.
        clock: seconds since 1970, for sessions' ends.
        version: of the portal; a release changes it.
    """

    def __init__(self, seed: int, clock: Callable[[], float], version: str) -> None:
        self.clock = clock
        self.version = version
        self.accounts: dict[str, Account] = {}
        self.records: dict[int, Record] = {}
        self.appointments: dict[int, Appointment] = {}
        self.sessions: dict[str, Session] = {}
        self._people(random.Random(seed))

    def open_session(self, account: Account | None = None) -> Session:
        """A new session, with a new number."""
        number = secrets.token_urlsafe(24)
        session = Session(number, secrets.token_urlsafe(12), self.clock(), account)
        self.sessions[number] = session
        return session

    def find_session(self, number: str | None) -> Session | None:
        """A live session by its number."""
        session = self.sessions.get(number or "")
        if session is None:
            return None
        if self.clock() - session.used_at > SESSION_S:
            del self.sessions[session.number]
            return None
        session.used_at = self.clock()
        return session

    def book(self, patient: str, draft: Draft) -> Appointment:
        """Make an appointment of a draft."""
        number = FIRST_APPOINTMENT + len(self.appointments)
        made = Appointment(number, patient, draft.doctor, draft.slot)
        self.appointments[number] = made
        return made

    def records_of(self, account: Account) -> list[Record]:
        """The records that an account may read."""
        return [record for record in self.records.values() if record.may_read(account)]

    def _people(self, rng: random.Random) -> None:
        for login, name in DOCTORS.items():
            self._add(Account(f"dr.{login}", f"{login}-{rng.randrange(10**6)}", "doctor", name))
        for login, role in (("sofia", "admin"), ("oskar", "admin"), ("lena", "reception"),
                            ("tom", "reception")):  # fmt: skip
            self._add(Account(login, f"{login}-{rng.randrange(10**6)}", role, login.title()))
        doctors = [f"dr.{login}" for login in DOCTORS]
        for first in _FIRST:
            for last in _LAST:
                login = f"{first}.{last}"
                password = f"{last}{rng.randrange(10**5)}"
                self._add(Account(login, password, "patient", login.replace(".", " ").title()))
                doctor = rng.choice(doctors)
                for _ in range(rng.randint(1, 3)):
                    number = FIRST_RECORD + len(self.records)
                    text = rng.choice(("Blood count", "X-ray, left wrist", "Yearly check"))
                    self.records[number] = Record(number, login, doctor, text)
                if rng.random() < 0.5:
                    slot = rng.choice(SLOTS)
                    self.book(login, Draft(doctor.removeprefix("dr."), slot, "check"))

    def _add(self, account: Account) -> None:
        self.accounts[account.login] = account
