"""What only Django has: its sign-in signals, sessions, CSRF and hosts, without an extra query."""

from collections.abc import Callable
from typing import Any

import pytest

from flowaudit.vault.tokens import Vault

pytest.importorskip("django")

from .django_project import configure, fresh_audit

Events = Callable[..., list[dict[str, Any]]]


def more_urls() -> Any:
    from django.http import HttpResponse
    from django.urls import path, re_path

    def anonymous(request: Any, **_: Any) -> Any:
        return HttpResponse("no session looked at")

    def who(request: Any) -> Any:
        return HttpResponse(str(request.user.pk))

    def sign_in(request: Any) -> Any:
        from django.contrib.auth import authenticate, login

        user = authenticate(request, username=request.POST["name"], password=request.POST["pw"])
        if user is not None:
            login(request, user)
        return HttpResponse("in" if user else "again")

    def sign_out(request: Any) -> Any:
        from django.contrib.auth import logout

        logout(request)
        return HttpResponse("out")

    from django.contrib import admin

    return [
        path("admin/", admin.site.urls),
        path("anonymous", anonymous),
        path("who", who),
        path("sign-in", sign_in),
        path("sign-out", sign_out),
        re_path(r"^year/(?P<year>[0-9]{4})/$", anonymous),
    ]


@pytest.fixture
def client(make_audit: Any) -> Any:
    configure()
    audit = make_audit(login_paths=["/login"])
    fresh_audit(audit)
    from django.contrib.auth.models import User
    from django.test import Client

    User.objects.filter(username="ann").delete()
    User.objects.create_user("ann", password="pw")
    client = Client()
    client.audit = audit
    yield client
    from django.db import connections

    connections.close_all()


def test_sign_in_and_out_by_djangos_own_signals(client: Any, events: Events) -> None:
    client.post("/sign-in", {"name": "ann", "pw": "wrong"})
    client.post("/sign-in", {"name": "ann", "pw": "pw"})
    client.get("/who")
    client.post("/sign-out")
    client.audit.flush()
    found = events()
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
    from django.contrib.auth.models import User

    pk = User.objects.get(username="ann").pk
    with Vault(client.audit.paths.vault) as vault:
        actor = vault.find(f"user:{pk}")
    assert {login["actor"], first["actor"], second["actor"], logout["actor"]} == {actor}
    assert login["session"] == second["session"] == logout["session"]
    assert failed["login"] == login["login"]


def test_no_query_and_no_vary_cookie_is_added(client: Any, events: Events) -> None:
    client.post("/sign-in", {"name": "ann", "pw": "pw"})
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:
        response = client.get("/anonymous")
    assert len(queries) == 0
    assert "Cookie" not in response.headers.get("Vary", "")
    with CaptureQueriesContext(connection) as queries:
        client.get("/who")
    assert len(queries) == 2  # the session and the user, which the view asks for


def test_a_failed_csrf_check_and_a_foreign_host_are_named(client: Any, events: Events) -> None:
    from django.test import Client

    strict = Client(enforce_csrf_checks=True)
    assert strict.post("/sign-in", {"name": "ann", "pw": "pw"}).status_code == 403
    assert client.get("/anonymous", headers={"host": "evil.example"}).status_code == 400
    client.audit.flush()
    assert [(e["outcome"], e["reason"]) for e in events()] == [
        ("denied", "csrf"),
        ("denied", "bad-host"),
    ]


@pytest.mark.parametrize("disables", [False, True], ids=["kept", "disabled"])
def test_refusals_are_named_also_when_logging_was_configured_anew(
    client: Any, events: Events, disables: bool
) -> None:
    """As `runserver` does: it sets Django up twice, which drops every handler."""
    import logging.config

    from django.test import Client

    config = {
        "version": 1,
        "disable_existing_loggers": disables,
        "loggers": {
            "django.security.csrf": {"handlers": []},
            "django.security.DisallowedHost": {"handlers": []},
        },
    }
    if disables:
        del config["loggers"]
    logging.config.dictConfig(config)
    try:
        assert Client(enforce_csrf_checks=True).post("/sign-in", {}).status_code == 403
        assert client.get("/anonymous", headers={"host": "evil.example"}).status_code == 400
        assert client.post("/forbidden").status_code == 403
    finally:
        for name in ("django.security.csrf", "django.security.DisallowedHost", "django.request"):
            logging.getLogger(name).disabled = False
    client.audit.flush()
    assert [event["reason"] for event in events()] == ["csrf", "bad-host", "forbidden"]


def test_the_admins_redirect_to_its_sign_in_page_is_a_refusal(client: Any, events: Events) -> None:
    assert client.get("/admin/").status_code == 302
    assert client.get("/admin/login/").status_code == 200
    client.audit.flush()
    assert [(e["outcome"], e.get("reason")) for e in events()] == [
        ("denied", "login-required"),
        ("ok", None),
    ]


def test_a_regular_expression_gives_a_template(client: Any, events: Events) -> None:
    client.get("/year/2026/")
    client.audit.flush()
    assert [event["route"] for event in events()] == ["/year/{year}/"]
