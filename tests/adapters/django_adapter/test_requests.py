"""What the event of a request has: route, resource, session, and who acts. Never a query more."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import override_settings

from flowaudit import FlowAudit
from flowaudit.capture.facts import Actor
from flowaudit.testing import recorded_events

from ..django_project import MIDDLEWARE, fresh_audit
from .browser import Browser

Open = Callable[[], Browser]
Key = Callable[[str], Any]
WITHOUT_US = [name for name in MIDDLEWARE if not name.startswith("flowaudit")]


# Django itself warns when it serves a file under ASGI
@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")
@pytest.mark.parametrize(
    ("target", "route", "resource"),
    [
        ("/open", "/open", (None, None)),
        ("/patients/4/records/17", "/patients/{pid}/records/{id}", ("records", "17")),
        ("/year/2026/", "/year/{year}/", ("year", "2026")),
        ("/assets/site.py", "/assets/{path}", (None, None)),
        ("/nothing", None, (None, None)),
    ],
    ids=["plain", "included", "expression", "static", "missing"],
)
def test_route_and_resource(
    browser: Browser, target: str, route: str | None, resource: tuple[str | None, str | None]
) -> None:
    browser.get(target)
    event = browser.last()
    assert event.get("route") == route
    assert (event.get("resource"), event.get("resource_id")) == resource


def test_a_parameter_that_is_called_a_secret_is_masked(browser: Browser) -> None:
    browser.get("/invited/k3v9/")
    event = browser.last()
    assert event["path"] == "/invited/[masked:value]/"
    assert (event["resource"], event["resource_id"]) == ("invited", "[masked:value]")


def test_the_path_is_the_target_as_sent(browser: Browser) -> None:
    browser.get("/patients/4/records/a%2Db")
    expected = "/patients/4/records/a-b" if "wsgi" in browser.kind else "/patients/4/records/a%2Db"
    event = browser.last()
    assert event["path"] == expected
    assert ("path-rebuilt" in event.get("flags", ())) == ("wsgi" in browser.kind)


def test_sign_in_and_out_by_djangos_own_signals(browser: Browser, key_of: Key) -> None:
    browser.sign_in("amy", "wrong")
    browser.sign_in("amy")
    browser.get("/who")
    browser.post("/sign-out")
    found = browser.events()
    assert [(e["kind"], e.get("action")) for e in found] == [
        ("auth", "login-failed"),
        ("request", None),
        ("auth", "login"),
        ("request", None),
        ("request", None),
        ("auth", "logout"),
        ("request", None),
    ]
    failed, again, login, first, second, logout, _ = found
    assert (again["outcome"], again["reason"]) == ("denied", "bad-credentials")
    actor = browser.who(f"user:{key_of('amy')}")
    assert {login["actor"], first["actor"], second["actor"], logout["actor"]} == {actor}
    assert login["session"] == second["session"] == logout["session"]
    assert failed["login"] == login["login"]


def test_the_async_ways_of_django_contrib_auth(audit: FlowAudit, key_of: Key) -> None:
    pytest.importorskip("django", minversion="5.0")
    browser = Browser(audit, "asgi")
    browser.post("/a/sign-in", data={"name": "amy", "pw": "no"})
    browser.post("/a/sign-in", data={"name": "amy", "pw": "pw"})
    browser.get("/a/who")
    failed, _, login, _, seen = browser.events()
    assert failed["data"] == {"login_known": True}
    assert seen["actor"] == login["actor"] == browser.who(f"user:{key_of('amy')}")


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
@pytest.mark.parametrize(
    ("name", "known"), [("amy", True), ("AMY", False), ("nobody", False), ("", None)]
)
def test_whether_an_account_is_known_is_told_without_a_query(
    audit: FlowAudit, kind: str, name: str, known: bool | None
) -> None:
    counts = []
    for middleware in (WITHOUT_US, MIDDLEWARE):
        with override_settings(MIDDLEWARE=middleware):
            browser = Browser(audit, kind)
            counts.append(queries_of(lambda: browser.sign_in(name, "wrong")))  # noqa: B023
    assert counts[0] == counts[1]
    failed = browser.events("auth")[-1]
    assert failed.get("data") == (None if known is None else {"login_known": known})


def test_whether_an_account_is_known_is_not_said_of_other_backends(open_browser: Open) -> None:
    with override_settings(AUTHENTICATION_BACKENDS=[f"{__name__}.Directory"]):
        browser = open_browser()
        browser.sign_in("nobody", "wrong")
    assert "data" not in browser.events("auth")[-1]


class Directory:
    """A backend that asks somewhere else."""

    def authenticate(self, request: Any, username: str = "", password: str = "") -> None:
        return None

    def get_user(self, user_id: Any) -> None:
        return None


def queries_of(act: Callable[[], Any]) -> int:
    """How many queries an action makes, in whichever thread its view runs."""
    from django.db import connection
    from django.db.backends.signals import connection_created

    asked: list[str] = []

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        asked.append(sql)
        return execute(sql, *rest)

    def watch(connection: Any, **_: Any) -> None:
        if note not in connection.execute_wrappers:
            connection.execute_wrappers.append(note)

    connection.close()
    connection_created.connect(watch)
    watch(connection)
    try:
        act()
    finally:
        connection_created.disconnect(watch)
        connection.execute_wrappers.clear()
    return len([sql for sql in asked if not sql.startswith("PRAGMA")])


# what a view asks of the database by itself: its session and user, or more
PAGES = {
    "/open": 0,
    "/session-only": 1,
    "/who": 2,
    "/a/who": 2,
    "/grouped": 4,
    "/deferred": 3,
    "/login-required": 2,
    "/permission-403": 4,
    "/patients/4/records/17": 0,
    "/forbidden": 0,
    "/status/400": 0,
    "/nothing": 0,
}


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
@pytest.mark.parametrize("target", PAGES)
def test_no_query_and_no_vary_is_added(audit: FlowAudit, kind: str, target: str) -> None:
    if target == "/a/who":
        pytest.importorskip("django", minversion="5.0")
    found = []
    for middleware in (WITHOUT_US, MIDDLEWARE):
        with override_settings(MIDDLEWARE=middleware):
            browser = Browser(audit, kind)
            browser.sign_in("amy")
            answers: list[Any] = []
            count = queries_of(lambda: answers.append(browser.get(target)))  # noqa: B023
        found.append((count, answers[0].headers.get("vary"), answers[0].headers.get("set-cookie")))
    assert found[0] == found[1]
    assert found[1][0] == PAGES[target]
    if target == "/open":
        assert found[1][1] is None


@pytest.mark.parametrize(
    ("name", "target", "roles"),
    [
        ("amy", "/who", None),
        ("bea", "/who", ["staff"]),
        ("root", "/who", ["superuser", "staff"]),
        ("bea", "/grouped", ["staff", "nurses"]),
        ("bea", "/deferred", None),
    ],
    ids=["none", "staff", "superuser", "prefetched-groups", "deferred"],
)
def test_roles_as_far_as_the_app_has_loaded_them(
    browser: Browser, name: str, target: str, roles: list[str] | None
) -> None:
    from django.contrib.auth.models import Group, User

    nurses, _ = Group.objects.get_or_create(name="nurses")
    User.groups.through.objects.get_or_create(
        user_id=User.objects.get(username="bea").pk, group_id=nurses.pk
    )
    browser.sign_in(name)
    browser.get(target)
    assert browser.last().get("roles") == roles


def test_nobody_is_told_where_nobody_looked(browser: Browser) -> None:
    browser.sign_in("amy")
    browser.get("/open")
    event = browser.last()
    assert event["actor_kind"] == "anonymous"
    assert event["session"] == browser.events("auth")[-1]["session"]


def of_a_key(request: Any) -> Actor | str | None:
    match request.headers.get("x-key"):
        case None:
            return None
        case "robot":
            return Actor("service:robot", ["machine"], "service", "user:7")
        case other:
            return f"key:{other}"


@pytest.mark.parametrize("option", [of_a_key, f"{__name__}.of_a_key"], ids=["callable", "path"])
def test_the_option_actor_tells_who_acts(open_browser: Open, key_of: Key, option: Any) -> None:
    from django.conf import settings

    with override_settings(FLOWAUDIT={"audit": settings.FLOWAUDIT, "actor": option}):
        browser = open_browser()
        browser.get("/open", headers={"x-key": "robot"})
        browser.get("/open", headers={"x-key": "five"})
        browser.sign_in("amy")
        browser.get("/who")
    robot, five, *_, amy = browser.events("request")
    assert (robot["actor_kind"], robot["roles"]) == ("service", ["machine"])
    assert robot["via"] == browser.who("user:7")
    assert five["actor"] == browser.who("key:five")
    assert amy["actor"] == browser.who(f"user:{key_of('amy')}")


def test_a_fault_in_the_option_actor_costs_the_request_nothing(make_audit: Any, audit: Any) -> None:
    def faulty(request: Any) -> None:
        raise KeyError("x-key")

    own = make_audit()
    with override_settings(FLOWAUDIT={"audit": own, "actor": faulty}):
        browser = Browser(own, "wsgi")
        assert browser.get("/open").status_code == 200
    assert own.counters["capture_failed"] == 1
    assert browser.last()["status"] == 200


def test_django_hijack_is_told_as_via(open_browser: Open, key_of: Key) -> None:
    pytest.importorskip("hijack")
    with override_settings(
        MIDDLEWARE=[*MIDDLEWARE, "hijack.middleware.HijackUserMiddleware"],
        HIJACK_INSERT_BEFORE=None,
    ):
        browser = open_browser()
        browser.sign_in("root")
        cookie = {"headers": {"x-csrftoken": csrf_token(browser)}}
        assert browser.post("/hijack/acquire/", data={"user_pk": key_of("amy")}, **cookie)
        browser.get("/who")
        cookie = {"headers": {"x-csrftoken": csrf_token(browser)}}
        browser.post("/hijack/release/", **cookie)
        browser.get("/who")
    who = {name: browser.who(f"user:{key_of(name)}") for name in ("amy", "root")}
    told = [
        (event["kind"], event.get("actor"), event.get("via"))
        for event in browser.events()
        if event.get("route") in ("/who", "/hijack/acquire/", "/hijack/release/")
    ]
    assert told == [
        ("auth", who["amy"], who["root"]),
        ("request", who["amy"], who["root"]),
        ("request", who["amy"], who["root"]),
        ("auth", who["root"], None),
        ("request", who["root"], None),
        ("request", who["root"], None),
    ]


def test_django_impersonate_is_told_as_via(open_browser: Open, key_of: Key) -> None:
    pytest.importorskip("impersonate")
    with override_settings(
        MIDDLEWARE=[*MIDDLEWARE, "impersonate.middleware.ImpersonateMiddleware"]
    ):
        browser = open_browser()
        browser.sign_in("root")
        browser.get(f"/impersonate/{key_of('amy')}/")
        browser.get("/who")
    event = browser.last()
    assert event["actor"] == browser.who(f"user:{key_of('amy')}")
    assert event["via"] == browser.who(f"user:{key_of('root')}")


def csrf_token(browser: Browser) -> str:
    browser.get("/accounts/login/")
    return str(browser.cookie("csrftoken"))


def test_signed_cookies_have_no_id_but_tell_two_browsers_apart(open_browser: Open) -> None:
    with override_settings(SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies"):
        first, second = open_browser(), open_browser()
        for browser in (first, second):
            browser.sign_in("amy")
            browser.get("/who")
            browser.get("/who")
            browser.get("/open")
    seen = [event for event in first.events("request") if event["route"] == "/who"]
    sessions = [event["session"] for event in seen]
    assert sessions[0] == sessions[1]
    assert sessions[2] == sessions[3]
    opened = [event for event in first.events("request") if event["route"] == "/open"]
    assert ["session" in event for event in opened] == [False, False]


def test_a_middleware_listed_twice_records_once(open_browser: Open) -> None:
    with override_settings(MIDDLEWARE=[MIDDLEWARE[0], *MIDDLEWARE]):
        browser = open_browser()
        browser.get("/open")
    assert len(browser.events()) == 1


def test_a_wrong_setting_is_raised_when_a_server_loads_the_project(audit: FlowAudit) -> None:
    from django.core.handlers.wsgi import WSGIHandler

    from flowaudit.errors import SettingError

    with override_settings(FLOWAUDIT={"tail": "x.db"}), pytest.raises(SettingError, match="tail"):
        WSGIHandler()


def test_an_exception_of_another_middleware_is_named(open_browser: Open) -> None:
    with override_settings(MIDDLEWARE=[*MIDDLEWARE, f"{__name__}.faulty_middleware"]):
        browser = open_browser()
        assert browser.get("/open").status_code == 500
    assert browser.last()["reason"] == "ZeroDivisionError"


def faulty_middleware(get_response: Any) -> Any:
    def answer(request: Any) -> Any:
        raise ZeroDivisionError

    return answer


@pytest.mark.parametrize("kind", ["wrapped-wsgi", "wrapped-asgi"])
def test_two_trails_each_have_the_request_with_all_that_django_knows(
    audit: FlowAudit, tmp_path: Any, kind: str
) -> None:
    inner = FlowAudit(trail=tmp_path / "inner.db")
    fresh_audit(inner)
    browser = Browser(audit, kind)
    browser.sign_in("amy")
    browser.get("/permission-403")
    known = [
        [
            (e["route"], e["status"], e["outcome"], e.get("reason"))
            for e in recorded_events(each, "request")
        ]
        for each in (audit, inner)
    ]
    inner.close()
    assert known[0] == known[1] != []
    assert known[0][-1][1:] == (403, "denied", "forbidden")
    for each in (audit, inner):
        assert all(event.get("actor") for event in recorded_events(each, "request")[1:])
