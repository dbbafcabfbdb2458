"""Events of a made-up day at a clinic's portal, as capture would record them: no trace ids.

Visitors come and go by chance, look at pages with a person's pauses between them, and each page
brings calls of its API. The numbers behind it are stated at the top, and the same every time.
"""

import base64
import hashlib
import random
from collections.abc import Iterator

from flowaudit.event import Core, Personal, encode_core, encode_personal

STAFF_SHARE = 0.6
"""Of the journeys, those of people who have signed in."""
PEOPLE = 4_000
ADDRESSES = 3_000
PAGES_A_JOURNEY = 7.0
PAUSE_S = 25.0
"""Mean pause before the next page."""
WORKERS = 4
START_US = 1_767_600_000_000_000
JOURNEYS_AN_HOUR = 4_000
AGENTS = [
    f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}.0.0.0 Safari/537.36"
    for system in (
        "Windows NT 10.0; Win64; x64",
        "Macintosh; Intel Mac OS X 10_15_7",
        "X11; Linux x86_64",
        "Linux; Android 10; K",
    )
    for v in range(135, 145)
] + [
    f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_{v} like Mac OS X) AppleWebKit/605.1.15 "
    f"(KHTML, like Gecko) Version/18.{v} Mobile/15E148 Safari/604.1"
    for v in range(8)
]
PAGES = [
    ("/patients", 5),
    ("/patients/{id}", 9),
    ("/patients/{id}/notes", 4),
    ("/appointments", 6),
    ("/appointments/{id}", 4),
    ("/invoices", 2),
    ("/invoices/{id}", 3),
    ("/search", 4),
    ("/", 5),
    ("/account", 1),
]
APIS = ["/api/patients/{id}", "/api/slots", "/api/messages", "/api/invoices/{id}", "/api/me"]
HOST = "portal.clinic.example"
ROLES = [["reception"], ["nurse"], ["physician"], ["billing", "reception"]]


def _hash(*parts: object, size: int = 20) -> str:
    digest = hashlib.sha256(repr(parts).encode()).digest()[:size]
    return base64.b32encode(digest).decode().rstrip("=").lower()


class _Visitor:
    def __init__(self, rng: random.Random, number: int) -> None:
        is_staff = rng.random() < STAFF_SHARE
        person = int(PEOPLE * rng.random() ** 2)
        self.actor = _hash("person", person, size=32) if is_staff else None
        self.roles = ROLES[person % len(ROLES)] if is_staff else None
        self.session = _hash("session", number)
        self.client = _address(person if is_staff else rng.randrange(ADDRESSES))
        self.ua = AGENTS[(person * 7 + 3) % len(AGENTS)]
        self.patients = [rng.randrange(60_000) for _ in range(3)]


def _address(number: int) -> str:
    digest = hashlib.sha256(str(number).encode()).digest()
    return f"{digest[0] % 200 + 20}.{digest[1]}.{digest[2]}.{digest[3]}"


def traffic(count: int, seed: int = 1) -> Iterator[tuple[bytes, bytes, str]]:
    """Core, personal part and source of `count` events in the order in which they end."""
    rng = random.Random(seed)
    sources = [_hash("source", worker, seed, size=16) for worker in range(WORKERS)]
    numbers = dict.fromkeys(sources, 0)
    waiting: list[tuple[float, _Visitor, str, str]] = []
    at, made, journeys = 0.0, 0, 0
    while made < count:
        at += rng.expovariate(JOURNEYS_AN_HOUR / 3_600)
        journeys += 1
        waiting += _journey(rng, at, _Visitor(rng, journeys))
        due = sorted((one for one in waiting if one[0] <= at), key=lambda one: one[0])
        waiting = [one for one in waiting if one[0] > at]
        for moment, visitor, kind, route in due[: count - made]:
            source = rng.choice(sources)
            numbers[source] += 1
            yield (*_event(rng, moment, visitor, kind, route, source, numbers[source]), source)
            made += 1


def _journey(
    rng: random.Random, at: float, visitor: _Visitor
) -> Iterator[tuple[float, _Visitor, str, str]]:
    routes, weights = zip(*PAGES, strict=True)
    for _ in range(1 + int(rng.expovariate(1 / PAGES_A_JOURNEY))):
        yield at, visitor, "page", rng.choices(routes, weights)[0]
        for _ in range(rng.choice((0, 1, 2, 3))):
            yield at + 0.2 + rng.random() / 2, visitor, "api", rng.choice(APIS)
        at += 1 + rng.expovariate(1 / PAUSE_S)


def _event(
    rng: random.Random,
    moment: float,
    visitor: _Visitor,
    kind: str,
    route: str,
    source: str,
    n: int,
) -> tuple[bytes, bytes]:
    patient = str(rng.choice(visitor.patients)) if "{id}" in route else None
    status = rng.choices((200, 304, 302, 404, 403, 500), (88, 5, 3, 2, 1.5, 0.5))[0]
    outcome = {404: "missing", 403: "denied", 500: "error"}.get(status, "ok")
    is_post = kind == "api" and rng.random() < 0.15
    size = 0 if status in (304, 302) else int(rng.lognormvariate(8.2, 0.9))
    core = Core(
        v=1,
        source=source,
        n=n,
        ts=START_US + int(moment * 1_000_000),
        kind="request",
        actor=visitor.actor,
        actor_kind="user" if visitor.actor else "anonymous",
        roles=visitor.roles,
        session=visitor.session,
        method="POST" if is_post else "GET",
        route=route,
        host=HOST,
        nav=kind,
        status=status,
        outcome=outcome,
        reason="no-permission" if status == 403 else None,
        duration_us=int(rng.lognormvariate(10, 0.8)),
        bytes_in=rng.randrange(40, 900) if is_post else None,
        bytes_out=size or None,
    )
    personal = Personal(
        client=visitor.client,
        ua=visitor.ua,
        path=route.replace("{id}", patient) if patient else route,
        resource_id=patient,
        referer=f"https://{HOST}/" if kind == "page" and rng.random() < 0.7 else None,
        query="page=2" if route == "/search" else None,
    )
    return encode_core(core), encode_personal(personal)
