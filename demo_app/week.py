"""A simulated week: who comes when, and what of it is an attack."""

import heapq
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from . import attackers, look_alikes
from .browser import Browser, Wire
from .people import AGENTS, Person, Script
from .store import DOCTORS, Account, Clinic

__all__ = ["DAY_S", "START", "Planted", "Week"]

START: Final = 1_772_409_600.0
"""Monday 2 March 2026, 00:00 UTC."""

DAY_S: Final = 86_400.0

STAFF_ADDRESS: Final = "198.51.100.20"
OFFICE_ADDRESS: Final = "198.51.100.10"

_TOOLS: Final = ("python-requests/2.32.3", "curl/8.9.1", "Go-http-client/1.1")
_CRAWLER: Final = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
_HOURS: Final = (
    1,
    0,
    0,
    0,
    0,
    1,
    4,
    9,
    14,
    16,
    14,
    12,
    11,
    12,
    12,
    11,
    10,
    11,
    13,
    15,
    14,
    10,
    6,
    3,
)
"""How many visits begin in each hour of the day, in proportion."""


@dataclass(frozen=True, slots=True)
class Planted:
    """An attack that took place: what must be found."""

    rule: str
    what: str
    identity: str | None
    """Whose account it was done with."""
    addresses: tuple[str, ...]


@dataclass(slots=True)
class Week:
    """Everybody's plans, as scripts that begin at a time.

    Args:
        clinic: the portal's accounts and records.
        wire: the way to it.
        seed: makes the same week again.
        days: how long it is; attacks are planted from the first day on.
    """

    clinic: Clinic
    wire: Wire
    seed: int
    days: float = 7.0
    planted: list[Planted] = field(default_factory=list)
    _plans: list[tuple[float, int, Script]] = field(default_factory=list)
    _order: Iterator[int] = field(default_factory=count)
    _people: int = 0

    def plan(self) -> None:
        """Make everybody's plans."""
        patients = [a for a in self.clinic.accounts.values() if a.role == "patient"]
        self._plan_patients(patients[:96], patients[96:112])
        self._plan_passers_by()
        self._plan_staff()
        self._plan_look_alikes(patients[112:117])
        self._plan_attacks(patients[117:])

    def run(self, until: float) -> None:
        """Let everything happen that is planned before a time, in order."""
        while self._plans and self._plans[0][0] < until:
            at, _, script = heapq.heappop(self._plans)
            self.wire.time.now = max(self.wire.time.now, at)
            pause = next(script, None)
            if pause is not None:
                heapq.heappush(self._plans, (self.wire.time.now + pause, next(self._order), script))
        self.wire.time.now = max(self.wire.time.now, until)

    # -- honest people -----------------------------------------------------------------------

    def _plan_patients(self, at_home: Sequence[Account], at_work: Sequence[Account]) -> None:
        for number, account in enumerate(at_home):
            address = f"192.0.2.{number + 1}" if number % 3 else f"2001:db8:{number:x}::7"
            self._plan_visits(self._person(account.name, address, account=account), 1.2)
        for account in at_work:
            self._plan_visits(self._person(account.name, OFFICE_ADDRESS, account=account), 1.0)

    def _plan_visits(self, person: Person, per_day: float) -> None:
        for day in range(int(self.days + 0.999)):
            for _ in range(2):
                if person.rng.random() < per_day / 2:
                    self._at(day, _hour(person.rng), person.visit())

    def _plan_passers_by(self) -> None:
        for number in range(90):
            person = self._person(f"passer-by {number}", f"192.0.2.{number + 130}")
            self._plan_visits(person, 0.3)
        crawler = self._person("crawler", "198.51.100.77", agent=_CRAWLER, is_tool=True)
        for day in range(int(self.days + 0.999)):
            self._at(day, 2.5, look_alikes.crawl(crawler, 60))
        monitor = self._person("monitor", "198.51.100.99", agent="uptime-check/2", is_tool=True)
        self._at(0, 0.01, look_alikes.look_if_it_is_up(monitor, START + self.days * DAY_S - 900))

    def _plan_staff(self) -> None:
        for login in DOCTORS:
            doctor = self._staff(f"dr.{login}")
            for day in _workdays(self.days):
                self._at(day, doctor.rng.uniform(8.2, 8.8), doctor.consult())
                self._at(day, doctor.rng.uniform(13.2, 13.8), doctor.consult())
        for login in ("sofia", "oskar"):
            person = self._staff(login)
            for day in _workdays(self.days):
                self._at(day, person.rng.uniform(9.5, 15.0), person.run_office())
        person = self._staff("lena")
        for day in _workdays(self.days):
            self._at(day, person.rng.uniform(8.5, 9.5), person.receive())

    def _plan_look_alikes(self, patients: Sequence[Account]) -> None:
        forgetful, nostalgic, sleepy, mobile, curious = (
            self._person(account.name, f"2001:db8:f{number:x}::9", account=account)
            for number, account in enumerate(patients)
        )
        self._at(0, 9.2, look_alikes.forget_password(forgetful))
        self._at(4, 19.1, look_alikes.forget_password(forgetful))
        self._at(0, 10.4, look_alikes.follow_old_links(nostalgic))
        self._at(1, 21.7, look_alikes.leave_tab_open(sleepy))
        self._at(0, 7.9, look_alikes.use_password_manager(mobile))
        self._at(3, 16.3, look_alikes.look_in_wrong_place(curious))
        doctor, administrator = self._staff("dr.brandt"), self._staff("oskar")
        record = next(
            r for r in self.clinic.records.values() if r.doctor not in ("dr.brandt", "dr.costa")
        )
        self._at(0, 11.2, look_alikes.ask_for_access(doctor, administrator, record))

    # -- attackers ---------------------------------------------------------------------------

    def _plan_attacks(self, patients: Sequence[Account]) -> None:
        guesser = self._tool("203.0.113.66", 0)
        self._at(0, 3.3, attackers.guess_password(guesser, "anna.berg"))
        self._plant("login-brute-force", "guesses one patient's password", guesser)

        scanner = self._tool("203.0.113.23", 2)
        self._at(0, 5.6, attackers.scan(scanner))
        self._plant("sensitive-path-probe", "looks for forgotten files", scanner)

        walker = self._person("walker", "203.0.113.90", account=patients[0])
        self._at(0, 8.7, attackers.walk_records(walker, 1001, 45))
        self._plant("object-id-enumeration", "counts record numbers up", walker)

        climber = self._person("climber", "203.0.113.41", account=patients[1])
        self._at(0, 9.9, attackers.open_office(climber))
        self._plant("privilege-probing", "opens the administrators' pages", climber)

        tom = self._person("tom", "203.0.113.52", account=self.clinic.accounts["tom"])
        names = ("payroll", "payroll/", "Payroll", "./payroll")
        self._at(0, 10.6, attackers.spell_differently(tom, names))
        self._plant("denied-then-allowed", "writes a refused page's path another way", tom)

        rented = [self._tool(f"203.0.113.{number}", number % 3) for number in range(100, 132)]
        self._at(2, 1.4, attackers.guess_from_many_places(rented, "sofia"))
        if self.days > 2:
            self._plant("login-brute-force", "guesses from many addresses", *rented)

        script = self._person("script", "203.0.113.91", account=patients[2], agent=_TOOLS[1])
        self._at(5, 13.2, attackers.walk_appointments(script, 5001, 80))
        second = self._tool("2001:db8:bad::1", 1)
        self._at(6, 4.1, attackers.scan(second, "/clinic"))
        if self.days > 6:
            self._plant("object-id-enumeration", "fetches appointments by number", script)
            self._plant("sensitive-path-probe", "looks for forgotten files below /clinic", second)

    def _plant(self, rule: str, what: str, *people: Person) -> None:
        account = people[0].account
        addresses = tuple(person.browser.address for person in people)
        self.planted.append(Planted(rule, what, account.identity if account else None, addresses))

    # -- people and plans --------------------------------------------------------------------

    def _staff(self, login: str) -> Person:
        account = self.clinic.accounts[login]
        return self._person(account.name, STAFF_ADDRESS, account=account)

    def _tool(self, address: str, tool: int) -> Person:
        return self._person(f"tool at {address}", address, agent=_TOOLS[tool], is_tool=True)

    def _person(
        self,
        name: str,
        address: str,
        *,
        account: Account | None = None,
        agent: str | None = None,
        is_tool: bool = False,
    ) -> Person:
        self._people += 1
        rng = random.Random(self.seed * 100_003 + self._people)
        browser = Browser(self.wire, address, agent or rng.choice(AGENTS), rng, is_tool=is_tool)
        return Person(name, browser, rng, account)

    def _at(self, day: int, hour: float, script: Script) -> None:
        begins = START + day * DAY_S + hour * 3600
        if begins < START + self.days * DAY_S:
            heapq.heappush(self._plans, (begins, next(self._order), script))


def _hour(rng: random.Random) -> float:
    return rng.choices(range(24), _HOURS)[0] + rng.random()


def _workdays(days: float) -> range:
    return range(min(5, int(days + 0.999)))
