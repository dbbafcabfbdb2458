"""Serves an app of Flask-AppBuilder, as it is and wrapped, and compares what its people get.

    python tests/third_party/serve_appbuilder.py

in an environment with flowaudit, `flask-appbuilder`, `waitress` and `httpx`. Exit status 0 only if
each answer is the same with and without us (status, headers, body; but for the date, the port, and
what Flask-AppBuilder makes new each time), each request is in the trail once with its route, actor
and outcome, nothing of ours failed, and the trail verifies.
"""

import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from flask import Flask
from flask_appbuilder import AppBuilder, Model, ModelView
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_appbuilder.security.sqla.manager import SecurityManager
from flask_appbuilder.utils.legacy import get_sqla_class
from sqlalchemy import Column, Integer, String
from waitress.server import create_server

import flowaudit
from flowaudit import FlowAudit
from flowaudit.testing import recorded_events
from flowaudit.verification.trail import verify_trail
from flowaudit_flask import FlowAuditFlask

TIME_LIMIT_S = 20.0

CHANGING = re.compile(
    rb"value=\"[\w.-]{60,}\"|session=[^;]+|expires=[^;]+|20\d\d-\d\d-\d\d[ T][\d:.]+"
    rb"|nonce-[\w+/=-]+|nonce=\"[^\"]+\"",
    re.IGNORECASE,
)
"""What it makes new for each request: form tokens, signed cookies, times."""

TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


class Book(Model):  # type: ignore[misc]
    """What the app is about."""

    __tablename__ = "book"
    id = Column(Integer, primary_key=True)
    title = Column(String(50), nullable=False)


class Books(ModelView):  # type: ignore[misc]
    """Its pages: list, show, add, edit, delete."""

    datamodel = SQLAInterface(Book)
    list_columns = ("title",)


class TellingManager(SecurityManager):  # type: ignore[misc]
    """Tells what Flask-AppBuilder has no signal for: a wrong name or password."""

    def auth_user_db(self, username: str, password: str) -> Any:
        """The user of a name and password, or `None`."""
        user = super().auth_user_db(username, password)
        if user is None:
            flowaudit.login_failed(username)
        return user


class Click(NamedTuple):
    """A request, and what the trail must say of it."""

    who: str
    """Whose browser: of nobody, of Ann, of the administrator."""
    method: str
    path: str
    status: int
    outcome: str = "ok"
    reason: str | None = None
    route: str | None = None
    """`None`: the path itself."""
    form: dict[str, str] | None = None
    is_known: bool = False


LOGIN = "/login/"
CLICKS = [
    Click("", "GET", "/", 200),
    Click("", "GET", "/books/list/", 302, "denied", "login-required"),
    Click("", "GET", LOGIN, 200),
    Click("", "POST", LOGIN, 302, "denied", "bad-credentials", form={"username": "ann"}),
    Click("", "POST", LOGIN, 302, "denied", "bad-credentials", form={"username": "x"}),
    Click("", "GET", "/api/v1/security/users/", 401, "denied", "login-required"),
    Click("", "GET", "/nothing", 404, "missing", "not-found", route=""),
    Click("", "GET", "/static/appbuilder/css/ab.css", 200, route="/static/appbuilder/{filename}"),
    Click("ann", "GET", LOGIN, 200),
    Click("ann", "POST", LOGIN, 302, form={"username": "ann", "password": "pw"}, is_known=True),
    Click("ann", "GET", "/books/list/", 200, is_known=True),
    Click("ann", "GET", "/books/add", 403, "denied", "forbidden", is_known=True),
    Click("ann", "GET", "/users/list/", 403, "denied", "forbidden", is_known=True),
    Click(
        *("ann", "GET", "/books/show/99", 404, "missing", "not-found"),
        route="/books/show/{pk}",
        is_known=True,
    ),
    Click("ann", "GET", "/logout/", 302, is_known=True),
    Click("root", "GET", LOGIN, 200),
    Click("root", "POST", LOGIN, 302, form={"username": "root", "password": "pw"}, is_known=True),
    Click("root", "GET", "/books/add", 200, is_known=True),
    Click("root", "POST", "/books/add", 302, form={"title": "One"}, is_known=True),
    Click("root", "GET", "/books/show/1", 200, route="/books/show/{pk}", is_known=True),
    Click("root", "GET", "/roles/list/", 200, is_known=True),
    Click("root", "POST", "/books/delete/1", 302, route="/books/delete/{pk}", is_known=True),
    Click("root", "GET", "/logout/", 302, is_known=True),
]


def make_app(folder: Path) -> Flask:
    """A library: Ann may look, root may do everything."""
    app = Flask("library")
    app.config |= {
        "SECRET_KEY": "only for this comparison",
        "SQLALCHEMY_DATABASE_URI": f"sqlite:///{folder}/library.db",
        "FAB_SECURITY_MANAGER_CLASS": f"{__name__}.TellingManager",
        "FAB_ADD_SECURITY_API": True,
    }
    database = get_sqla_class()(app)
    with app.app_context():
        builder = AppBuilder(app, database.session)
        Model.metadata.create_all(database.engine)
        builder.add_view(Books, "Books")
        security = builder.sm
        reader = security.add_role("Reader")
        for right in ("can_list", "can_show", "menu_access"):
            held = security.add_permission_view_menu(right, "Books")
            security.add_permission_role(reader, held)
        for name, role in (("root", security.find_role("Admin")), ("ann", reader)):
            security.add_user(name, name, name, f"{name}@library.example", role, "pw")
    return app


@contextmanager
def serving(app: Flask) -> Iterator[str]:
    """The address at which waitress serves an app on loopback."""
    server = create_server(app, host="127.0.0.1", port=0, threads=2)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.effective_port}"
    finally:
        server.trigger.pull_trigger(server.close)
        thread.join(TIME_LIMIT_S)


def ask_all(address: str) -> list[tuple[object, ...]]:
    """What each person's browser gets."""
    answers = []
    browsers = {
        who: httpx.Client(base_url=address, timeout=TIME_LIMIT_S) for who in ("", "ann", "root")
    }
    tokens: dict[str, str] = {}
    for click in CLICKS:
        data = click.form
        if click.method == "POST":
            data = {"password": "wrong", **(data or {}), "csrf_token": tokens.get(click.who, "")}
        answer = browsers[click.who].request(click.method, click.path, data=data)
        if token := TOKEN.search(answer.text):
            tokens[click.who] = token[1]
        own = address.encode()
        kept = sorted(
            (name.lower(), CHANGING.sub(b"", value.replace(own, b"")))
            for name, value in answer.headers.raw
            if name.lower() not in (b"date", b"content-length")
        )
        answers.append(
            (answer.status_code, kept, CHANGING.sub(b"", answer.content.replace(own, b"")))
        )
    for browser in browsers.values():
        browser.close()
    return answers


def faults(folder: Path) -> Iterator[str]:
    """Each difference between the app with and without us, and each event that is not right."""
    answers = []
    audit = FlowAudit(trail=folder / "flowaudit.db", service="library")
    for name in ("plain", "wrapped"):
        (folder / name).mkdir()
        app = make_app(folder / name)
        if name == "wrapped":
            FlowAuditFlask(app, audit=audit)
        with serving(app) as address:
            answers.append(ask_all(address))
    for click, one, other in zip(CLICKS, *answers, strict=True):
        if one != other:
            yield f"{click.method} {click.path}: {one} without us, {other} with us"
        if other[0] != click.status:
            yield f"{click.method} {click.path}: {other[0]}, expected {click.status}"
    yield from wrong_events(audit)
    audit.close()
    if any(audit.counters.values()):
        yield f"counted: {audit.counters}"
    yield from (str(problem) for problem in verify_trail(folder / "flowaudit.db").problems)


def wrong_events(audit: FlowAudit) -> Iterator[str]:
    """What the trail does not say as it should."""
    told = [
        (e["method"], e["status"], e["outcome"], e.get("reason"), e.get("route"), "actor" in e)
        for e in recorded_events(audit, "request")
    ]
    expected = [
        (
            *(c.method, c.status, c.outcome, c.reason),
            (c.path if c.route is None else c.route) or None,
            c.is_known,
        )
        for c in CLICKS
    ]
    if len(told) != len(expected):
        yield f"{len(expected)} requests, {len(told)} events"
    yield from (
        f"{one} in the trail, {other} expected"
        for one, other in zip(told, expected, strict=False)
        if one != other
    )
    actions = [event["action"] for event in recorded_events(audit, "auth")]
    wanted = ["login-failed", "login-failed", "login", "logout", "login", "logout"]
    if actions != wanted:
        yield f"account events {actions}, {wanted} expected"


def main() -> int:
    """Compare, and say what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        found = list(faults(Path(folder)))
    print("\n".join(found) or f"{len(CLICKS)} requests: the same with us, each in the trail once.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
