"""The clinic portal: an ordinary FastAPI app, with flowaudit added in one line."""

from typing import Final

from fastapi import FastAPI
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from flowaudit import FlowAudit
from flowaudit_fastapi import FlowAuditMiddleware

from . import booking, care, office, signing_in
from .pages import SCRIPT, STYLE, links
from .store import DOCTORS, Clinic
from .visit import Visiting

__all__ = ["NEWS", "make_app"]

ROBOTS: Final = """User-agent: *
Disallow: /account
Disallow: /admin
Disallow: /book
Disallow: /login
"""

NEWS: Final = {
    "flu-shots": "Flu shots from October",
    "new-entrance": "A new entrance",
    "summer-hours": "Summer hours",
    "parking": "Parking",
    "dr-costa": "Dr. Costa joins us",
}


def make_app(clinic: Clinic, audit: FlowAudit) -> FastAPI:
    """The portal over a store, audited."""
    app = FastAPI(title="Lakeside Clinic", openapi_url=None)
    app.state.clinic = clinic
    for part in (signing_in, booking, care, office):
        app.include_router(part.router)
    _add_public_pages(app)
    app.add_middleware(FlowAuditMiddleware, audit=audit)
    return app


def _add_public_pages(app: FastAPI) -> None:
    @app.get("/")
    async def home(visit: Visiting) -> Response:
        news = links((f"/news/{name}", text) for name, text in NEWS.items())
        return visit.page("Lakeside Clinic", news)

    @app.get("/doctors")
    async def doctors(visit: Visiting) -> Response:
        return visit.page("Doctors", links((f"/doctors/{k}", v) for k, v in DOCTORS.items()))

    @app.get("/doctors/{doctor}")
    async def doctor(visit: Visiting, doctor: str) -> Response:
        if doctor not in DOCTORS:
            return visit.missing()
        return visit.page(DOCTORS[doctor], links([(f"/book/{doctor}", "Book a time")]))

    @app.get("/news/{name}")
    async def news(visit: Visiting, name: str) -> Response:
        return visit.page(NEWS[name], "<p>Read on.</p>") if name in NEWS else visit.missing()

    @app.get("/static/style.css")
    async def style() -> Response:
        return PlainTextResponse(STYLE, media_type="text/css")

    @app.get("/static/clinic.js")
    async def script() -> Response:
        return PlainTextResponse(SCRIPT, media_type="text/javascript")

    @app.get("/robots.txt")
    async def robots() -> Response:
        return PlainTextResponse(ROBOTS)

    @app.get("/health")
    async def health() -> Response:
        return JSONResponse({"ok": True})
