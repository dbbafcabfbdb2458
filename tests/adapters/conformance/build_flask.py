"""The app in Flask: Flask-Login, Flask-WTF, an app inside the app, static files."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import flask
import flask_login
from flask_wtf.csrf import CSRFProtect
from werkzeug.middleware.dispatcher import DispatcherMiddleware

import flowaudit
from flowaudit import FlowAudit
from flowaudit_flask import FlowAuditFlask

from .app import LOGIN, ROUTES, Ask, Barred, Raise, Reply, Route, Swallowed, roles_of_token
from .build import Build
from .build_starlette import STATIC
from .sessions import sign_in_form

__all__ = ["build"]

_PARAMETER = re.compile(r"\{(\w+)(?::(\w+))?\}")
_ERRORS = {"not-found": 404, "forbidden": 403, "unauthenticated": 401}


class User(flask_login.UserMixin):  # type: ignore[misc]
    """Somebody, as Flask-Login knows them."""

    def __init__(self, name: str, roles: list[str] | None = None) -> None:
        self.id = self.username = name
        self.roles = roles or []


def rule_of(path: str) -> str:
    """`/items/<int:id>` out of `/items/{id:int}`."""
    return _PARAMETER.sub(lambda m: f"<{m[2]}:{m[1]}>" if m[2] else f"<{m[1]}>", path)


def answer(reply: Reply | Raise) -> flask.Response:
    """A reply as Flask sends it; raises what is to be raised."""
    if isinstance(reply, Raise):
        if isinstance(reply.what, Exception):
            raise reply.what
        flask.abort(_ERRORS[reply.what])
    body = _blocks(reply) if reply.stream is not None else reply.body
    response = flask.Response(body, reply.status)
    response.headers.update(reply.headers)  # a length too, which Flask would set
    if reply.later is not None:
        response.call_on_close(reply.later)
    return response


def _blocks(reply: Reply) -> Iterator[bytes]:
    yield from reply.stream or ()
    if reply.fails:
        raise RuntimeError("boom")


def view_of(route: Route) -> Callable[..., flask.Response]:
    """A route of the table as a view."""

    def view(**params: Any) -> flask.Response:
        if route.pause_s:
            time.sleep(route.pause_s)
        return answer(route.do(Ask(flask.request.method, params, flask.request.get_data())))

    view.__name__ = f"view_{ROUTES.index(route)}"
    return view


def _broken(error: Exception) -> Any:
    raise RuntimeError("the handler is broken")


def _new_app(name: str) -> flask.Flask:
    app = flask.Flask(name, static_folder=str(STATIC))
    app.config |= {
        "PROPAGATE_EXCEPTIONS": False,
        "SECRET_KEY": "only for tests",
        "TRUSTED_HOSTS": ["testserver"],
    }
    app.logger.disabled = True
    return app


def _login_manager(app: flask.Flask) -> None:
    manager = flask_login.LoginManager(app)
    manager.login_view = "login"
    manager.login_message = None
    manager.user_loader(User)

    @manager.request_loader
    def by_token(request: flask.Request) -> User | None:
        found = roles_of_token(request.headers.get("Authorization", ""))
        return User(*found) if found else None


def _own_routes(app: flask.Flask, csrf: CSRFProtect) -> None:
    @app.post("/sign-in")
    @csrf.exempt
    def sign_in() -> Any:
        name, is_right = sign_in_form(flask.request.get_data())
        if is_right:
            flask_login.login_user(User(name))
            return "ok"
        flowaudit.login_failed(name, known=True)
        return "again"

    @app.post("/sign-out")
    @csrf.exempt
    def sign_out() -> Any:
        flask_login.logout_user()
        return answer(Reply(302, b"", {"location": LOGIN}))

    @app.get("/cart")
    def cart() -> Any:
        flask.session["cart"] = 1
        return "ok"

    @app.get("/mine")
    @app.get("/api/mine")
    def mine() -> Any:
        return "ok" if flask_login.current_user.is_authenticated else "who?"

    @app.get("/members")
    @flask_login.login_required
    def members() -> Any:
        return "ok"

    @app.post("/form")
    def form() -> Any:
        return "ok"

    @app.post("/upload")
    @csrf.exempt
    def upload() -> Any:
        return str(len(flask.request.files["file"].read())), 201


def build(audit: FlowAudit) -> Build:
    """The app, wrapped in Flask's idiom."""
    app, shop = _new_app("main"), _new_app("shop")
    csrf = CSRFProtect(app)
    _login_manager(app)
    for route in ROUTES:
        name = "login" if route.path == LOGIN else None
        view = view_of(route)
        app.add_url_rule(
            rule_of(route.path), name, csrf.exempt(view) and view, methods=route.methods
        )
    _own_routes(app, csrf)
    app.register_error_handler(Barred, _broken)
    app.register_error_handler(Swallowed, lambda error: ("no", 500))
    shop.add_url_rule("/items/<int:id>", "item", lambda id: "ok")
    extension = FlowAuditFlask(shop, audit=audit)
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/shop": shop})  # type: ignore[method-assign]
    extension.init_app(app)
    return Build(app, is_asgi=False)
