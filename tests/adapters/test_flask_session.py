"""Whose session a Flask request came with: one person's, or nobody's at all."""

from collections.abc import Callable
from typing import Any

import pytest

import flowaudit
from flowaudit import FlowAudit

pytest.importorskip("flask")
pytest.importorskip("flask_login")

import flask
import flask_login

from flowaudit_flask import FlowAuditFlask

Events = Callable[..., list[dict[str, Any]]]
PEOPLE = ("ann", "bob", "cyd")


class User(flask_login.UserMixin):  # type: ignore[misc]
    def __init__(self, key: str) -> None:
        self.id = key


@pytest.fixture
def app(audit: FlowAudit) -> Any:
    """An app with Flask-Login whose sessions hold more than who is signed in."""
    app = flask.Flask("test")
    app.secret_key = "only for tests"
    manager = flask_login.LoginManager(app)
    manager.login_view = "sign_in"
    manager.user_loader(User)
    manager.request_loader(lambda request: _bearer(request.headers.get("Authorization")))

    @app.get("/set/<key>/<value>")
    def keep(key: str, value: str) -> str:
        flask.session[key] = value
        return str(flask_login.current_user.is_authenticated)

    @app.route("/sign-in", methods=["GET", "POST"])
    def sign_in() -> str:
        return str(flask_login.login_user(User(flask.request.args["id"])))

    @app.get("/me")
    @flask_login.login_required
    def me() -> str:
        return "me"

    @app.post("/sign-out")
    def sign_out() -> Any:
        flask_login.logout_user()
        flask.flash("bye")
        return flask.redirect("/sign-in")

    FlowAuditFlask(app, audit=audit)
    return app


def _bearer(header: str | None) -> User | None:
    return User(header) if header else None


def _visit(app: Any, name: str) -> None:
    """One person's way, in a browser of their own."""
    client = app.test_client()
    agent = {"User-Agent": f"browser of {name}"}
    client.get("/me", headers=agent)
    client.post(f"/sign-in?id={name}", headers=agent)
    client.get("/me", headers=agent)
    client.post("/sign-out", headers=agent)


def test_no_two_people_share_a_session(app: Any, audit: FlowAudit, events: Events) -> None:
    for name in PEOPLE:
        _visit(app, name)
    audit.flush()
    actors: dict[str, set[str]] = {}
    for event in events():
        before = event.get("data", {}).get("previous_session")
        for session in filter(None, (event.get("session"), before)):
            actors.setdefault(session, set()).add(event["actor"])
    assert [len(each) for each in actors.values()] == [1, 1, 1]
    outs = [event for event in events("request") if event["path"] == "/sign-out"]
    assert len({event["session"] for event in outs}) == len(PEOPLE)


@pytest.mark.parametrize(
    ("key", "is_told"),
    [("cart", False), ("_permanent", False), ("csrf_token", True)],
)
def test_the_session_before_a_sign_in_is_told_if_it_is_one_browsers(
    app: Any, audit: FlowAudit, events: Events, key: str, is_told: bool
) -> None:
    client = app.test_client()
    client.get(f"/set/{key}/1")
    client.post("/sign-in?id=ann")
    audit.flush()
    [login] = events("auth")
    assert ("previous_session" in login.get("data", {})) is is_told


@pytest.mark.parametrize("key", ["cart", "_flashes"])
def test_who_signs_in_by_a_token_has_no_session_of_nobodys(
    app: Any, audit: FlowAudit, events: Events, key: str
) -> None:
    client = app.test_client()
    client.get(f"/set/{key}/1")
    client.get("/me", headers={"Authorization": "ann"})
    audit.flush()
    *_, mine = events()
    assert (mine["actor_kind"], mine.get("session")) == ("user", None)


def test_an_app_that_signs_people_in_by_itself(audit: FlowAudit, events: Events) -> None:
    app = flask.Flask("test")
    app.secret_key = "only for tests"
    FlowAuditFlask(app, audit=audit)

    @app.get("/in/<name>")
    def enter(name: str) -> str:
        flask.session["who"] = name
        flowaudit.login(f"user:{name}")
        return "in"

    @app.get("/out")
    def leave() -> str:
        flowaudit.identify(f"user:{flask.session.pop('who')}")
        flowaudit.logout()
        flask.flash("bye")
        return "out"

    for name in PEOPLE:
        client = app.test_client()
        client.get(f"/in/{name}")
        client.get("/out")
    audit.flush()
    sessions = [event["session"] for event in events("request")]
    assert sessions[::2] == sessions[1::2]
    assert len(set(sessions)) == len(PEOPLE)
    assert not any("previous_session" in event.get("data", {}) for event in events("auth"))


@pytest.mark.parametrize("protection", ["basic", "strong"])
@pytest.mark.parametrize("is_signed_in", [False, True], ids=["nobody", "somebody"])
def test_a_session_is_protected_only_if_it_was_another_browsers(
    app: Any, audit: FlowAudit, events: Events, protection: str, is_signed_in: bool
) -> None:
    app.config["SESSION_PROTECTION"] = protection
    client = app.test_client()
    first, other = {"User-Agent": "first"}, {"User-Agent": "other"}
    if is_signed_in:
        client.post("/sign-in?id=ann", headers=first)
    client.get("/set/cart/1", headers=first)
    client.get("/set/cart/2", headers=first)
    client.get("/set/cart/3", headers=other)
    audit.flush()
    told = [event.get("data", {}).get("session_protected") for event in events("request")]
    assert told[-3:] == [None, None, True if is_signed_in else None]
