"""Attackers. They do what such people do and know nothing of how they might be found."""

from collections.abc import Sequence
from typing import Final

from .people import Person, Script

__all__ = [
    "guess_from_many_places",
    "guess_password",
    "open_office",
    "scan",
    "spell_differently",
    "walk_appointments",
    "walk_records",
]

_GUESSES: Final = (
    "123456 password 12345678 qwerty 123456789 12345 111111 1234567 dragon letmein baseball"
    " abc123 football monkey master sunshine welcome shadow princess trustno1 hello summer"
    " winter2024 spring2025 clinic clinic123 doctor patient secret changeme hunter2 starwars"
).split()

_WELL_KNOWN: Final = (
    "/.env /.git/HEAD /.git/config /wp-login.php /wp-admin/setup-config.php /xmlrpc.php"
    " /phpinfo.php /phpmyadmin/index.php /administrator/index.php /.aws/credentials /config.php.bak"
    " /backup.zip /backup.sql /dump.sql /.svn/entries /.htpasswd /server-status /cgi-bin/test.cgi"
    " /vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php /actuator/env /solr/admin/info/system"
    " /.DS_Store /docker-compose.yml /id_rsa /web.config /old/ /test/ /tmp/ /shell.php"
    " /api/v1/pods /console/ /login.action /owa/auth/logon.aspx /boaform/admin/formLogin"
).split()


def guess_password(person: Person, login: str) -> Script:
    """One account, a list of common passwords, one after the other."""
    page = person.browser.open("/login")
    for guess in _GUESSES:
        fields = {"name": login, "password": guess, "token": page.token}
        page = person.browser.post("/login", fields)
        yield person.rng.uniform(1.0, 6.0)


def guess_from_many_places(people: Sequence[Person], login: str) -> Script:
    """The same, but every guess comes from another rented address."""
    for number, guess in enumerate(_GUESSES):
        person = people[number % len(people)]
        page = person.browser.open("/login")
        fields = {"name": login, "password": guess, "token": page.token}
        person.browser.post("/login", fields)
        yield person.rng.uniform(40.0, 110.0)


def scan(person: Person, prefix: str = "") -> Script:
    """Files and consoles that are often forgotten on servers, fast."""
    for path in person.rng.sample(_WELL_KNOWN, len(_WELL_KNOWN)):
        person.browser.open(prefix + path)
        yield person.rng.uniform(0.1, 0.8)


def walk_records(person: Person, first: int, count: int) -> Script:
    """A patient with an account counts the number in the address bar up."""
    page = yield from person.enter("/records")
    yield person.thinks(60)
    for number in range(first, first + count):
        person.browser.open(f"/records/{number}")
        yield person.rng.uniform(1.5, 7.0)
    person.browser.open(page.path)


def walk_appointments(person: Person, first: int, count: int) -> Script:
    """A script with a patient's account fetches appointments by number."""
    yield from person.enter("/account")
    for number in range(first, first + count):
        person.browser.open(f"/appointments/{number}")
        yield person.rng.uniform(0.5, 1.5)


def open_office(person: Person) -> Script:
    """A patient's account tries the administrators' pages, guessing their names."""
    yield from person.enter("/account")
    for page in ("", "/users", "/users/sofia", "/settings", "/export", "/invoices", "/sessions"):
        person.browser.open(f"/admin{page}", is_linked=False)
        yield person.thinks(25)


def spell_differently(person: Person, names: Sequence[str]) -> Script:
    """Refused at the front, somebody tries how else the same page can be written."""
    yield from person.enter("/account")
    for name in names:
        person.browser.open(f"/reports/{name}", is_linked=False)
        yield person.thinks(15)
