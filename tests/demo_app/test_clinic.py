"""The portal itself: who may see what, and what of it stands in the trail."""

import random
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn")
pytest.importorskip("fastapi")


from demo_app.browser import Browser, Time, Wire
from demo_app.look_alikes import ask_for_access
from demo_app.people import AGENTS, Person
from demo_app.serving import serve
from demo_app.store import SESSION_S, Account, Clinic, Record
from demo_app.week import START

Portal = Callable[..., Person]
Events = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def clinic() -> Clinic:
    return Clinic(1, Time(START), "1.4.2")


@contextmanager
def served(clinic: Clinic, trail: Path) -> Iterator[Portal]:
    """The portal while the block runs; gives people with a browser, signed in if they can."""
    assert isinstance(clinic.clock, Time)
    wire = Wire(clinic.clock)
    with serve(clinic, trail, clinic.clock) as (port, _):
        wire.connect(port)

        def somebody(account: Account | None = None) -> Person:
            rng = random.Random(1)
            person = Person("somebody", Browser(wire, "192.0.2.1", AGENTS[0], rng), rng, account)
            if account is not None:
                live(person.enter("/account"), person)
            return person

        yield somebody
        wire.close()


@pytest.fixture
def portal(clinic: Clinic, trail: Path) -> Iterator[Portal]:
    with served(clinic, trail) as somebody:
        yield somebody


def live(script: Generator[float, None, object], person: Person) -> None:
    for pause in script:
        person.browser.wire.time.now += pause


def the(clinic: Clinic, role: str) -> Account:
    return next(a for a in clinic.accounts.values() if a.role == role)


def others_record(clinic: Clinic, account: Account) -> Record:
    return next(r for r in clinic.records.values() if not r.may_read(account))


def test_a_patient_is_not_told_that_anothers_record_exists(
    clinic: Clinic, portal: Portal, events: Events
) -> None:
    patient = the(clinic, "patient")
    record = others_record(clinic, patient)
    browser = portal(patient).browser
    missing, hidden = browser.open("/records/999999"), browser.open(f"/records/{record.number}")
    assert (missing.status, hidden.status) == (404, 404)
    assert missing.body == hidden.body


def test_what_the_app_says_of_a_refusal_is_in_the_trail(
    clinic: Clinic, trail: Path, events: Events
) -> None:
    with served(clinic, trail) as somebody:
        for account in (the(clinic, "patient"), the(clinic, "doctor")):
            browser = somebody(account).browser
            browser.open(f"/records/{others_record(clinic, account).number}")
            browser.open("/admin/users")
    refused = {
        (event["roles"][0], event["route"]): (event["status"], event["outcome"], event["reason"])
        for event in events("request")
        if event["outcome"] in ("denied", "hidden") and event.get("roles")
    }
    assert refused == {
        ("patient", "/records/{number}"): (404, "hidden", "hidden"),
        ("patient", "/admin/users"): (403, "denied", "admin-only"),
        ("doctor", "/records/{number}"): (403, "denied", "not-my-patient"),
        ("doctor", "/admin/users"): (403, "denied", "admin-only"),
    }
    assert {event["client"] for event in events("request")} == {"192.0.2.1"}
    assert [event["action"] for event in events("auth")] == ["login", "login"]


def test_a_grant_opens_a_record_and_is_an_event_of_its_own(
    clinic: Clinic, trail: Path, events: Events
) -> None:
    doctor = the(clinic, "doctor")
    record = others_record(clinic, doctor)
    with served(clinic, trail) as somebody:
        asking, giving = somebody(doctor), somebody(the(clinic, "admin"))
        live(ask_for_access(asking, giving, record), asking)
    asked = [e for e in events("request") if e.get("path") == f"/records/{record.number}"]
    assert [event["outcome"] for event in asked] == ["denied", "ok"]
    [grant] = [event for event in events("auth") if event["action"] == "grant"]
    assert grant["data"]["target"] == asked[0]["actor"] != grant["actor"]
    assert asked[0]["ts"] < grant["ts"] < asked[1]["ts"]


def test_a_booking_needs_the_form_filled_in_and_its_own_token(
    clinic: Clinic, portal: Portal
) -> None:
    browser = portal(the(clinic, "patient")).browser
    page = browser.open("/book/costa/10-00")
    fields = {"concern": "cough", "phone": "0555 0100"}
    assert browser.post(page.path, {**fields, "token": "forged"}).status == 403
    assert browser.post(page.path, {**fields, "phone": "?", "token": page.token}).status == 422
    before = len(clinic.appointments)
    page = browser.post(page.path, {**fields, "token": page.token})
    assert page.path == "/book/confirm"
    assert browser.post(page.path, {"token": page.token}).path == "/book/done"
    assert len(clinic.appointments) == before + 1


@pytest.mark.parametrize(("version", "status"), [("1.4.2", 200), ("1.5.0", 403)])
def test_the_release_mends_the_other_spelling(
    clinic: Clinic, portal: Portal, version: str, status: int
) -> None:
    clinic.version = version
    browser = portal(the(clinic, "reception")).browser
    assert browser.open("/reports/payroll").status == 403
    assert browser.open("/reports/payroll/").status == status


def test_a_session_ends_when_it_is_not_used(clinic: Clinic, portal: Portal) -> None:
    browser = portal(the(clinic, "patient")).browser
    assert browser.open("/records").path == "/records"
    browser.wire.time.now += SESSION_S + 60
    assert browser.open("/records").path.startswith("/login")


def test_sign_in_never_leads_out_of_the_portal(clinic: Clinic, portal: Portal) -> None:
    person = portal()
    patient = the(clinic, "patient")
    page = person.browser.open("/login")
    fields = {"name": patient.login, "password": patient.password, "token": page.token}
    assert person.browser.post("/login", {**fields, "next": "//evil.example"}).path == "/account"
