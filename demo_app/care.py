"""What patients and doctors see when signed in: own page, appointments, records, reports."""

from posixpath import normpath
from typing import Final

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

import flowaudit

from .pages import form, links
from .visit import Visiting

__all__ = ["router"]

router = APIRouter()

REPORTS: Final = {"waiting-times": "Waiting times", "payroll": "Payroll", "supplies": "Supplies"}
RESTRICTED: Final = {"payroll"}
FIXED_IN: Final = "1.5.0"
"""The release that compares a report's name after it is put in order, not before."""


@router.get("/account")
async def account(visit: Visiting) -> Response:
    """One's own page."""
    if visit.account is None:
        return visit.sign_in_first()
    mine = [a for a in visit.clinic.appointments.values() if a.patient == visit.account.login]
    body = links((f"/appointments/{a.number}", f"{a.doctor}, {a.slot}") for a in mine)
    body += links([("/records", "Records"), ("/messages", "Messages")])
    return visit.page("My page", body + form("/logout", (), visit.session.token, "Sign out"))


@router.get("/appointments/{number}")
async def appointment(visit: Visiting, number: int) -> Response:
    """One appointment; a patient's own only."""
    if visit.account is None:
        return visit.sign_in_first()
    flowaudit.resource("appointment", number)
    found = visit.clinic.appointments.get(number)
    if found is None:
        return visit.missing()
    if visit.account.role == "patient" and found.patient != visit.account.login:
        return visit.pretend_missing()
    token = visit.session.token
    cancel = form(f"/appointments/{number}/cancel", (), token, "Cancel it")
    return visit.page("Appointment", f"<p>{found.doctor}, {found.slot}</p>{cancel}")


@router.post("/appointments/{number}/cancel")
async def cancel(visit: Visiting, number: int) -> Response:
    """Give a slot back."""
    if visit.account is None:
        return visit.sign_in_first()
    if visit.is_forged(await visit.form()):
        return visit.refuse("csrf")
    flowaudit.resource("appointment", number)
    found = visit.clinic.appointments.get(number)
    if found is None or found.patient != visit.account.login:
        return visit.missing()
    del visit.clinic.appointments[number]
    flowaudit.record("change", "delete", resource="appointment")
    return visit.go("/account")


@router.get("/records")
async def records(visit: Visiting) -> Response:
    """The records one may read."""
    if visit.account is None:
        return visit.sign_in_first()
    found = visit.clinic.records_of(visit.account)
    flowaudit.resource("record", rows=len(found))
    return visit.page("Records", links((f"/records/{r.number}", r.text) for r in found))


@router.get("/records/{number}")
async def record(visit: Visiting, number: int) -> Response:
    """One record: for its patient, their doctor, and whom an administrator gave access."""
    if visit.account is None:
        return visit.sign_in_first()
    flowaudit.resource("record", number)
    found = visit.clinic.records.get(number)
    if found is None:
        return visit.missing()
    if not found.may_read(visit.account):
        if visit.account.role == "patient":
            return visit.pretend_missing()
        return visit.refuse("not-my-patient")
    note = ""
    if visit.account.role == "doctor":
        fields = (("note", "Note"),)
        note = form(f"/records/{number}/notes", fields, visit.session.token, "Add")
    return visit.page(f"Record {number}", f"<p>{found.text}</p>{note}")


@router.post("/records/{number}/notes")
async def add_note(visit: Visiting, number: int) -> Response:
    """A doctor's note on a patient of theirs."""
    if visit.account is None:
        return visit.sign_in_first()
    given = await visit.form()
    flowaudit.resource("record", number)
    found = visit.clinic.records.get(number)
    if visit.is_forged(given):
        return visit.refuse("csrf")
    if found is None or visit.account.role != "doctor" or not found.may_read(visit.account):
        return visit.refuse("not-my-patient")
    found.text = f"{found.text}; seen"
    flowaudit.record("change", "update", resource="record")
    return visit.go(f"/records/{number}")


@router.get("/messages")
async def messages(visit: Visiting) -> Response:
    """Letters from the clinic."""
    if visit.account is None:
        return visit.sign_in_first()
    return visit.page("Messages", "<p>No new messages.</p>")


@router.get("/api/unread")
async def unread(visit: Visiting) -> Response:
    """How many messages are new: asked for by every page of a signed-in browser."""
    if visit.account is None:
        flowaudit.deny("login-required")
        return JSONResponse({"error": "sign in first"}, 401)
    return JSONResponse({"unread": 0})


@router.get("/reports/{name:path}")
async def report(visit: Visiting, name: str) -> Response:
    """The clinic's own reports; payroll is for administrators.

    Until the release that mended it, the name was compared before it was put in order, so that
    another spelling of it got through.
    """
    if visit.account is None:
        return visit.sign_in_first()
    if visit.account.role == "patient":
        return visit.refuse("staff-only")
    ordered = normpath("/" + name).lstrip("/")
    is_fixed = visit.clinic.version >= FIXED_IN
    flowaudit.resource("report", ordered, privileged=ordered in RESTRICTED)
    if (ordered if is_fixed else name) in RESTRICTED and visit.account.role != "admin":
        return visit.refuse("admin-only")
    if ordered not in REPORTS:
        return visit.missing()
    return visit.page(REPORTS[ordered], "<p>Figures of the quarter.</p>")
