"""Booking an appointment: choose a doctor, choose a slot, details, confirm, done."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

import flowaudit

from .pages import form, links
from .store import DOCTORS, SLOTS, Draft
from .visit import Visiting

__all__ = ["router"]

router = APIRouter()

LONGEST_CONCERN = 300


@router.get("/book")
async def choose_doctor(visit: Visiting) -> Response:
    """Step 1."""
    flowaudit.step("booking", "doctor")
    return visit.page("Choose a doctor", links((f"/book/{k}", v) for k, v in DOCTORS.items()))


@router.get("/book/confirm")
async def confirm(visit: Visiting) -> Response:
    """Step 4: what was chosen, once more."""
    flowaudit.step("booking", "confirm")
    draft = visit.session.draft
    if draft is None:
        return visit.go("/book")
    body = f"<p>{DOCTORS[draft.doctor]}, {draft.slot}</p>"
    return visit.page("Confirm", body + form("/book/confirm", (), visit.session.token, "Book"))


@router.post("/book/confirm")
async def confirmed(visit: Visiting) -> Response:
    """The booking is made."""
    draft, account = visit.session.draft, visit.account
    if account is None:
        return visit.sign_in_first()
    if visit.is_forged(await visit.form()):
        return visit.refuse("csrf")
    if draft is None:
        return visit.go("/book")
    made = visit.clinic.book(account.login, draft)
    flowaudit.resource("appointment", made.number)
    flowaudit.record("change", "create", resource="appointment")
    visit.session.draft = None
    return visit.go("/book/done")


@router.get("/book/done")
async def done(visit: Visiting) -> Response:
    """Step 5."""
    flowaudit.step("booking", "done")
    return visit.page("Booked", "<p>We are looking forward to seeing you.</p>")


@router.get("/book/{doctor}")
async def choose_slot(visit: Visiting, doctor: str) -> Response:
    """Step 2."""
    if doctor not in DOCTORS:
        return visit.missing()
    flowaudit.step("booking", "slot")
    return visit.page("Choose a time", links((f"/book/{doctor}/{slot}", slot) for slot in SLOTS))


@router.get("/book/{doctor}/{slot}")
async def details(visit: Visiting, doctor: str, slot: str) -> Response:
    """Step 3; from here on one must be signed in."""
    if doctor not in DOCTORS or slot not in SLOTS:
        return visit.missing()
    if visit.account is None:
        return visit.sign_in_first()
    flowaudit.step("booking", "details")
    fields = (("concern", "What is it about?"), ("phone", "Telephone"))
    target = f"/book/{doctor}/{slot}"
    return visit.page("Details", form(target, fields, visit.session.token, "Go on"))


@router.post("/book/{doctor}/{slot}")
async def detailed(visit: Visiting, doctor: str, slot: str) -> Response:
    """The details, checked."""
    if visit.account is None:
        return visit.sign_in_first()
    given = await visit.form()
    if visit.is_forged(given):
        return visit.refuse("csrf")
    concern, phone = given.get("concern", ""), given.get("phone", "")
    if not 0 < len(concern) <= LONGEST_CONCERN or not phone.replace(" ", "").isdigit():
        return visit.wrong("We need a few words and a telephone number.")
    visit.session.draft = Draft(doctor, slot, concern)
    return visit.go("/book/confirm")


@router.get("/api/slots/{doctor}")
async def slots(doctor: str) -> Response:
    """Free slots, for the page's script."""
    return JSONResponse({"doctor": doctor, "slots": SLOTS}, 200 if doctor in DOCTORS else 404)
