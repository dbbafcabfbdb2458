"""Honest people who look like attackers for a moment: a finding on one of them is a false one."""

from .people import Person, Script
from .store import Record

__all__ = [
    "ask_for_access",
    "crawl",
    "follow_old_links",
    "forget_password",
    "leave_tab_open",
    "look_if_it_is_up",
    "look_in_wrong_place",
    "use_password_manager",
]


def forget_password(person: Person) -> Script:
    """Four wrong ones, and then it comes back."""
    account = person.account
    if account is None:
        return
    page = person.browser.open("/login", is_linked=False)
    for wrong in ("summer2024", account.password[:-2], account.login, account.password.upper()):
        yield person.thinks(16)
        fields = {"name": account.login, "password": wrong, "token": page.token}
        page = person.browser.post("/login", fields)
    yield person.thinks(40)
    fields = {"name": account.login, "password": account.password, "token": page.token}
    person.browser.post("/login", fields)
    yield person.thinks(20)
    person.browser.open("/records")
    yield person.thinks(20)


def follow_old_links(person: Person) -> Script:
    """Links in old letters, to appointments that were cancelled long ago."""
    yield from person.enter("/account")
    for number in (4127, 4386, 4391, 4702, 4888, 4931):
        person.browser.open(f"/appointments/{number}", is_linked=False)
        yield person.thinks(400)
    person.browser.open("/account")
    yield person.thinks(5)


def leave_tab_open(person: Person) -> Script:
    """The form of last night, sent in the morning: its session is over."""
    yield from person.enter("/account")
    page = person.browser.open("/book/costa/10-00")
    yield 11 * 3600
    fields = {"concern": "a check", "phone": "0555 0100", "token": page.token}
    page = person.browser.post("/book/costa/10-00", fields)
    if page.path.startswith("/login"):
        yield from person.sign_in(page, "/book/costa/10-00")
    page = person.browser.open("/book/costa/10-00")
    yield person.thinks(30)
    page = person.browser.post("/book/costa/10-00", {**fields, "token": page.token})
    yield person.thinks(10)
    person.browser.post("/book/confirm", {"token": page.token})


def ask_for_access(doctor: Person, administrator: Person, record: Record) -> Script:
    """A doctor is refused a colleague's record, asks, is given access, and reads it."""
    yield from doctor.enter("/records")
    doctor.browser.open(f"/records/{record.number}")
    yield doctor.thinks(600)
    page = yield from administrator.enter("/admin/access")
    fields = {"record": str(record.number), "token": page.token}
    login = doctor.account.login if doctor.account else ""
    administrator.browser.post("/admin/access", {**fields, "login": login})
    yield doctor.thinks(300)
    doctor.browser.open(f"/records/{record.number}")
    yield doctor.thinks(120)


def look_in_wrong_place(person: Person) -> Script:
    """A bookmark of somebody's former job."""
    yield from person.enter("/account")
    person.browser.open("/admin/settings", is_linked=False)
    yield person.thinks(10)
    person.browser.open("/account")


def use_password_manager(person: Person) -> Script:
    """What phones and password managers ask for on their own."""
    for path in ("/.well-known/change-password", "/apple-app-site-association", "/robots.txt"):
        person.browser.fetch(path)
        yield 1.0
    yield from person.visit()


def crawl(person: Person, pages: int) -> Script:
    """A search engine: does as robots.txt says, takes its time, knows pages that are gone."""
    rules = person.browser.fetch("/robots.txt").body.splitlines()
    closed = tuple(line.removeprefix("Disallow: ") for line in rules if "Disallow" in line)
    known = ["/", "/news/old-building", "/news/spring-hours-2019", "/news/job-nurse"]
    seen: set[str] = set()
    while known and len(seen) < pages:
        path = known.pop(0)
        if path in seen or path.startswith(closed):
            continue
        seen.add(path)
        known += person.browser.open(path, is_linked=False).links
        yield person.thinks(35)


def look_if_it_is_up(person: Person, until: float) -> Script:
    """A monitor asks every fifteen minutes."""
    while person.browser.wire.time.now < until:
        person.browser.fetch("/health")
        yield 900.0
