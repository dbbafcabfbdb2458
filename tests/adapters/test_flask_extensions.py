"""What Flask's extensions tell by themselves: Flask-Login, -Principal, -WTF and -Limiter."""

from collections.abc import Callable
from typing import Any

import pytest

from flowaudit import Actor, FlowAudit
from flowaudit.errors import SettingError
from flowaudit.vault.tokens import Vault

pytest.importorskip("flask")
pytest.importorskip("flask_login")
pytest.importorskip("flask_limiter")
pytest.importorskip("flask_principal")
pytest.importorskip("flask_wtf")

import flask
import flask_login

from flowaudit_flask import FlowAuditFlask

Events = Callable[..., list[dict[str, Any]]]


class Role:
    def __init__(self, name: str) -> None:
        self.name = name


class User(flask_login.UserMixin):  # type: ignore[misc]
    def __init__(self, key: str) -> None:
        self.id = key
        self.username = f"name-of-{key}"
        self.roles = [Role("doctor"), "staff"]


class LazyUser(flask_login.UserMixin):  # type: ignore[misc]
    """A user whose roles would be asked of a database."""

    id = "9"

    @property
    def roles(self) -> list[str]:
        raise AssertionError("roles were asked for")


def wrap(app: Any, audit: FlowAudit, **options: Any) -> Any:
    return FlowAuditFlask(app, audit=audit, **options)


def new_app() -> Any:
    app = flask.Flask("test")
    app.config |= {"SECRET_KEY": "only for tests", "PROPAGATE_EXCEPTIONS": False}
    app.logger.disabled = True
    return app


@pytest.fixture
def app(audit: FlowAudit) -> Any:
    """An app with Flask-Login."""
    app = new_app()
    manager = flask_login.LoginManager(app)
    manager.login_view = "sign_in"
    users = {"1": User("1"), "9": LazyUser()}
    manager.user_loader(users.get)

    @manager.request_loader
    def by_token(request: Any) -> Any:
        return users["1"] if request.headers.get("Authorization") == "Bearer one" else None

    @app.route("/sign-in", methods=["GET", "POST"])
    def sign_in() -> Any:
        if flask.request.method == "POST":
            flask_login.login_user(users[flask.request.args["id"]])
        return "in"

    @app.post("/sign-out")
    def sign_out() -> Any:
        flask_login.logout_user()
        return flask.redirect("/sign-in")

    @app.get("/mine")
    @flask_login.login_required
    def mine() -> Any:
        return "mine"

    @app.get("/fresh")
    @flask_login.fresh_login_required
    def fresh() -> Any:
        return "fresh"

    @app.get("/own-redirect")
    def own_redirect() -> Any:
        return flask.redirect(flask.url_for("sign_in", next="/own-redirect"))

    @app.get("/elsewhere")
    def elsewhere() -> Any:
        return flask.redirect("/mine")

    wrap(app, audit)
    return app


def told(events: Events, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(event.get(name) for name in names) for event in events()]


def test_flask_login_tells_who_signs_in_acts_and_signs_out(
    app: Any, audit: FlowAudit, events: Events
) -> None:
    client = app.test_client()
    client.post("/sign-in?id=1")
    client.get("/mine")
    client.post("/sign-out")
    client.get("/mine")
    audit.flush()
    with Vault(audit.paths.vault) as vault:
        actor = vault.find("user:1")
    login, first, mine, logout, out, refused = events()
    assert (login["kind"], login["action"], logout["action"]) == ("auth", "login", "logout")
    assert {e["actor"] for e in (login, first, mine, logout, out)} == {actor}
    assert mine["roles"] == ["doctor", "staff"]
    assert len(login["login"]) == 32
    # a sign-out that ends at the sign-in page is no refusal
    assert [e["outcome"] for e in (first, mine, out)] == ["ok", "ok", "ok"]
    assert (refused["status"], refused["reason"]) == (302, "login-required")
    assert login["session"] == first["session"] == mine["session"] == logout["session"]


def test_roles_that_are_not_loaded_are_not_asked_for(
    app: Any, audit: FlowAudit, events: Events
) -> None:
    client = app.test_client()
    client.post("/sign-in?id=9")
    client.get("/mine")
    audit.flush()
    assert told(events, "kind", "outcome", "roles") == [
        ("auth", "ok", None),
        ("request", "ok", None),
        ("request", "ok", None),
    ]
    assert audit.counters["capture_failed"] == 0


def test_a_token_of_a_request_loader_is_an_actor(
    app: Any, audit: FlowAudit, events: Events
) -> None:
    app.test_client().get("/mine", headers={"Authorization": "Bearer one"})
    audit.flush()
    [event] = events()
    assert (event["actor_kind"], event["roles"]) == ("user", ["doctor", "staff"])


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        pytest.param("/mine", 302, "login-required", id="login_required"),
        pytest.param("/own-redirect", 302, "login-required", id="a-redirect-of-the-apps-own"),
        pytest.param("/elsewhere", 302, None, id="a-redirect-elsewhere"),
        pytest.param("/sign-in", 200, None, id="the-sign-in-page-itself"),
    ],
)
def test_the_way_to_the_sign_in_page_is_a_refusal(
    app: Any, audit: FlowAudit, events: Events, path: str, status: int, reason: str | None
) -> None:
    assert app.test_client().get(path).status_code == status
    audit.flush()
    assert told(events, "status", "reason") == [(status, reason)]


@pytest.mark.parametrize(
    ("target", "leads_to", "looks", "signs_in", "reason"),
    [
        ("/page", "/door?next=/page", True, False, "login-required"),
        ("/page", "/door?next=http://localhost/page", True, False, "login-required"),
        ("/page?a=1", "/door?next=/page%3Fa%3D1", True, False, "login-required"),
        (
            "/page?a=1",
            "http://sso.example/?goto=http://localhost/page",
            True,
            False,
            "login-required",
        ),
        ("/page", "/door", True, False, None),
        ("/page", "/door?next=/other", True, False, None),
        ("/page", "/page?next=/page", True, False, None),
        ("/page", "/door?next=/page", False, False, None),
        ("/page", "/terms?next=/page", True, True, None),
    ],
    ids=[
        "path",
        "address",
        "with-query",
        "another-site",
        "no-way-back",
        "elsewhere",
        "itself",
        "nobody-looked",
        "signed-in",
    ],
)
def test_who_is_sent_elsewhere_to_come_back_was_refused(
    audit: FlowAudit,
    events: Events,
    target: str,
    leads_to: str,
    looks: bool,
    signs_in: bool,
    reason: str | None,
) -> None:
    """As Flask-AppBuilder does: its redirects are its own, and `login_view` names no page."""
    app = new_app()
    manager = flask_login.LoginManager(app)
    manager.login_view = "login"
    manager.user_loader(User)
    app.add_url_rule("/in", "in", lambda: str(flask_login.login_user(User("1"))))

    @app.get("/page")
    def page() -> Any:
        if looks:
            assert flask_login.current_user.is_authenticated is signs_in
        return flask.redirect(leads_to)

    wrap(app, audit)
    client = app.test_client()
    if signs_in:
        client.get("/in")
    client.get(target)
    audit.flush()
    assert events("request")[-1].get("reason") == reason


@pytest.mark.parametrize(
    ("view", "leads_to", "reason"),
    [
        pytest.param("/door", "http://localhost/door", "login-required", id="this-host"),
        pytest.param("/door", "//evil/door", None, id="another-host"),
        pytest.param(
            "https://sso.example/door",
            "https://sso.example/door?a=1",
            "login-required",
            id="sso",
        ),
        pytest.param("https://sso.example/door", "/door", None, id="the-same-path-here"),
        pytest.param("http://localhost/door", "/door", "login-required", id="this-host-in-full"),
    ],
)
def test_a_login_view_is_one_page_of_one_host(
    audit: FlowAudit, events: Events, view: str, leads_to: str, reason: str | None
) -> None:
    app = new_app()
    manager = flask_login.LoginManager(app)
    manager.login_view = view
    manager.user_loader(User)
    app.add_url_rule("/a", "a", lambda: flask.redirect(leads_to))
    wrap(app, audit)
    app.test_client().get("/a")
    audit.flush()
    assert told(events, "reason") == [(reason,)]


def test_a_login_view_of_a_blueprint_and_an_app_under_a_prefix(
    audit: FlowAudit, events: Events
) -> None:
    app = new_app()
    manager = flask_login.LoginManager(app)
    manager.user_loader(lambda key: None)
    blueprint = flask.Blueprint("shop", "shop", url_prefix="/shop")
    manager.blueprint_login_views = {"shop": "shop.sign_in"}
    blueprint.add_url_rule("/sign-in", "sign_in", lambda: "here")
    blueprint.add_url_rule("/a", "a", lambda: flask.redirect(flask.url_for("shop.sign_in")))
    app.register_blueprint(blueprint)
    wrap(app, audit)
    app.test_client().get("/shop/a", environ_overrides={"SCRIPT_NAME": "/prefix"})
    audit.flush()
    assert told(events, "route", "reason") == [("/shop/a", "login-required")]


def test_a_stale_sign_in_and_another_browser_are_told(
    app: Any, audit: FlowAudit, events: Events
) -> None:
    client = app.test_client()
    client.post("/sign-in?id=1", headers={"User-Agent": "first"})
    assert client.get("/fresh", headers={"User-Agent": "other"}).status_code == 401
    audit.flush()
    *_, fresh = events()
    assert (fresh["reason"], fresh["data"]) == ("login-required", {"session_protected": True})


def test_the_actor_option_goes_before_flask_login(
    app: Any, audit: FlowAudit, events: Events
) -> None:
    extension = app.extensions["flowaudit"]
    extension._actor = lambda request: Actor(
        "user:7", ["nurse"], via=f"user:{request.headers['X-Admin']}"
    )
    app.test_client().get("/sign-in", headers={"X-Admin": "1"})
    audit.flush()
    with Vault(audit.paths.vault) as vault:
        assert told(events, "actor", "roles", "via") == [
            (vault.find("user:7"), ["nurse"], vault.find("user:1"))
        ]


def test_an_actor_function_that_fails_costs_the_app_nothing(
    audit: FlowAudit, events: Events
) -> None:
    app = new_app()
    app.add_url_rule("/a", "a", lambda: "a")
    wrap(app, audit, actor=lambda request: 1 / 0)
    assert app.test_client().get("/a").status_code == 200
    audit.flush()
    assert told(events, "route", "actor_kind") == [("/a", "anonymous")]
    assert audit.counters["capture_failed"] == 1


@pytest.mark.parametrize("actor", ["user:1", lambda: None], ids=["text", "async"])
def test_an_actor_that_is_no_plain_function_is_refused_at_once(
    audit: FlowAudit, actor: Any
) -> None:
    if callable(actor):

        async def actor(request: Any) -> None: ...

    with pytest.raises(SettingError, match="actor"):
        wrap(None, audit, actor=actor)


# -- Flask-Principal -------------------------------------------------------------------------


@pytest.fixture
def principal_app(audit: FlowAudit) -> Any:
    import flask_principal as principal

    app = new_app()
    principal.Principal(app)
    admin = principal.Permission(principal.RoleNeed("admin"))

    @principal.identity_loaded.connect_via(app)
    def provide(sender: Any, identity: Any) -> None:
        identity.provides.add(principal.RoleNeed("clerk"))

    def change(identity: Any) -> str:
        principal.identity_changed.send(app, identity=identity)
        return "ok"

    app.add_url_rule("/in", "in", lambda: change(principal.Identity("5")))
    app.add_url_rule("/out", "out", lambda: change(principal.AnonymousIdentity()))
    app.add_url_rule("/admin", "admin", admin.require()(lambda: "ok"))
    app.add_url_rule("/admin-403", "admin403", admin.require(403)(lambda: "ok"))
    wrap(app, audit)
    app.provide = provide  # blinker keeps only a weak reference
    return app


def test_flask_principal_tells_identities_and_permissions(
    principal_app: Any, audit: FlowAudit, events: Events
) -> None:
    client = principal_app.test_client()
    statuses = [client.get(p).status_code for p in ("/in", "/admin", "/admin-403", "/out")]
    audit.flush()
    assert statuses == [200, 500, 403, 200]
    assert told(events, "kind", "action", "reason", "roles") == [
        ("auth", "login", None, None),
        ("request", None, None, ["clerk"]),
        ("request", None, "forbidden", ["clerk"]),
        ("request", None, "forbidden", ["clerk"]),
        ("auth", "logout", None, None),
        ("request", None, None, None),
    ]
    with Vault(audit.paths.vault) as vault:
        assert {event.get("actor") for event in events()} == {vault.find("user:5")}


# -- Flask-WTF -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "path", "status", "reason"),
    [
        pytest.param(None, "/form", 400, "csrf", id="the-usual-400"),
        pytest.param(403, "/form", 403, "csrf", id="an-answer-of-the-apps-own"),
        pytest.param(None, "/exempt", 400, "bad-request", id="an-exempt-views-own-400"),
        pytest.param(None, "/nothing", 404, "not-found", id="no-view-no-check"),
        pytest.param(403, "/throttled", 429, "rate-limit", id="a-throttle-before-it"),
    ],
)
def test_a_failed_csrf_check(
    audit: FlowAudit, events: Events, answer: int | None, path: str, status: int, reason: str
) -> None:
    from flask_wtf.csrf import CSRFError, CSRFProtect

    app = new_app()

    @app.before_request
    def throttle() -> None:
        if flask.request.path == "/throttled":
            flask.abort(429)

    check = CSRFProtect(app)
    app.add_url_rule("/form", "form", lambda: "ok", methods=["POST"])
    app.add_url_rule("/throttled", "throttled", lambda: "ok", methods=["POST"])

    @app.post("/exempt")
    @check.exempt
    def exempt() -> None:
        flask.abort(400)

    if answer is not None:
        app.register_error_handler(CSRFError, lambda error: ("no", answer))
    wrap(app, audit)
    assert app.test_client().post(path).status_code == status
    audit.flush()
    assert told(events, "status", "reason") == [(status, reason)]


def test_a_form_that_passes_the_check_may_still_be_a_bad_request(
    audit: FlowAudit, events: Events
) -> None:
    from flask_wtf.csrf import CSRFProtect, generate_csrf

    app = new_app()
    CSRFProtect(app)
    app.add_url_rule("/token", "token", generate_csrf)
    app.add_url_rule("/form", "form", lambda: flask.abort(400), methods=["POST"])
    wrap(app, audit)
    client = app.test_client()
    token = client.get("/token").text
    client.post("/form", headers={"X-CSRFToken": token})
    audit.flush()
    assert told(events, "reason") == [(None,), ("bad-request",)]


# -- Flask-Limiter, Flask itself --------------------------------------------------------------


def test_a_throttle(audit: FlowAudit, events: Events) -> None:
    from flask_limiter import Limiter
    from flask_limiter.util import get_remote_address

    app = new_app()
    limiter = Limiter(get_remote_address, app=app, storage_uri="memory://")
    app.add_url_rule("/a", "a", limiter.limit("1/hour")(lambda: "a"))
    wrap(app, audit)
    client = app.test_client()
    assert [client.get("/a").status_code for _ in range(2)] == [200, 429]
    audit.flush()
    assert told(events, "outcome", "reason") == [("ok", None), ("throttled", "rate-limit")]


@pytest.mark.parametrize(
    ("config", "status", "reason"),
    [
        pytest.param({"TRUSTED_HOSTS": ["good.example"]}, 400, "bad-host", id="host"),
        pytest.param({"MAX_CONTENT_LENGTH": 1}, 413, "too-large", id="too-large"),
    ],
)
def test_what_flask_refuses_by_its_own_settings(
    audit: FlowAudit, events: Events, config: dict[str, Any], status: int, reason: str
) -> None:
    app = new_app()
    app.config |= config
    app.add_url_rule("/a", "a", lambda: flask.request.get_data(), methods=["POST"])
    wrap(app, audit)
    assert app.test_client().post("/a", data=b"long").status_code == status
    audit.flush()
    assert told(events, "status", "reason") == [(status, reason)]


def test_a_test_client_that_keeps_the_context_changes_nothing(
    app: Any, audit: FlowAudit, events: Events
) -> None:
    with app.test_client() as client:
        client.post("/sign-in?id=1")
        client.get("/mine")
    audit.flush()
    assert told(events, "route", "roles")[-1] == ("/mine", ["doctor", "staff"])


def test_apps_inside_an_app_have_their_prefix_in_the_route(
    audit: FlowAudit, events: Events
) -> None:
    from werkzeug.middleware.dispatcher import DispatcherMiddleware

    outer, inner = new_app(), new_app()
    inner.add_url_rule("/items/<int:id>", "item", lambda id: "ok")
    outer.wsgi_app = DispatcherMiddleware(outer.wsgi_app, {"/shop": inner.wsgi_app})
    extension = wrap(outer, audit)
    extension.init_app(inner)
    # the dispatcher holds what the inner app was before it was wrapped
    outer.wsgi_app.app.mounts["/shop"] = inner
    outer.test_client().get("/shop/items/3", environ_overrides={"SCRIPT_NAME": "/root"})
    audit.flush()
    assert told(events, "route", "resource", "resource_id") == [("/shop/items/{id}", "items", "3")]
