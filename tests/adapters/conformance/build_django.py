"""The app in Django, under WSGI and ASGI: its sessions, sign-in, CSRF check, hosts, handlers."""

import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from flowaudit import FlowAudit, identify

from ..django_project import configure, fresh_audit
from .app import (
    LOGIN,
    PASSWORD,
    ROUTES,
    Ask,
    Barred,
    Raise,
    Reply,
    Route,
    Swallowed,
    roles_of_token,
)
from .build import Build
from .build_starlette import STATIC
from .sessions import sign_in_form

__all__ = ["build_asgi", "build_wsgi", "django_urls"]

_PARAMETER = re.compile(r"\{(\w+)(?::(\w+))?\}")


def path_of(template: str) -> str:
    """`items/<int:id>` out of `/items/{id:int}`."""
    return _PARAMETER.sub(lambda m: f"<{m[2] or 'str'}:{m[1]}>", template).lstrip("/")


def answer(reply: Reply | Raise, *, is_asgi: bool) -> Any:
    """A reply as Django sends it; raises what is to be raised."""
    from django.core.exceptions import PermissionDenied
    from django.http import Http404, HttpResponse, StreamingHttpResponse

    if isinstance(reply, Raise):
        match reply.what:
            case "not-found":
                raise Http404
            case "unauthenticated":
                return HttpResponse(b"no", status=401)
            case Exception() as error if not isinstance(error, Barred | Swallowed):
                raise error
            case _:
                raise PermissionDenied
    if reply.stream is not None:
        blocks = _blocks_async(reply) if is_asgi else _blocks(reply)
        return StreamingHttpResponse(blocks, status=reply.status, headers=reply.headers)

    class Response(HttpResponse):  # type: ignore[misc]
        def close(self) -> None:
            super().close()
            if reply.later is not None:
                reply.later()

    return Response(reply.body, status=reply.status, headers=reply.headers)


def _blocks(reply: Reply) -> Iterator[bytes]:
    yield from reply.stream or ()
    if reply.fails:
        raise RuntimeError("boom")


async def _blocks_async(reply: Reply) -> AsyncIterator[bytes]:
    for block in _blocks(reply):
        yield block


def view_of(route: Route) -> Callable[..., Any]:
    """A route of the table as a view."""
    from django.views.decorators.csrf import csrf_exempt
    from django.views.decorators.http import require_http_methods

    allowed = [*route.methods, "HEAD"] if "GET" in route.methods else [*route.methods]

    @csrf_exempt
    @require_http_methods(allowed)
    def view(request: Any, **params: Any) -> Any:
        if route.pause_s:
            time.sleep(route.pause_s)
        reply = route.do(Ask(request.method, params, request.body))
        return answer(reply, is_asgi=hasattr(request, "scope"))

    return view


def handler403(request: Any, exception: Exception) -> Any:
    """Django's page for permission exceptions; broken on one path."""
    from django.http import HttpResponse

    if request.path == "/barred":
        raise RuntimeError("the handler is broken")
    return HttpResponse(b"no", status=500 if request.path == "/swallowed" else 403)


def _own_urls() -> list[Any]:
    from django.contrib import admin
    from django.contrib.auth import authenticate, login, logout
    from django.contrib.auth.decorators import login_required
    from django.http import HttpResponse
    from django.urls import include, path, re_path
    from django.views.decorators.csrf import csrf_exempt
    from django.views.static import serve

    def ok(request: Any, **params: Any) -> Any:
        return HttpResponse(b"ok")

    @csrf_exempt
    def sign_in(request: Any) -> Any:
        name, _ = sign_in_form(request.body)
        user = authenticate(request, username=name, password=request.POST.get("pw"))
        if user is None:
            return HttpResponse(b"again")
        login(request, user)
        return HttpResponse(b"ok")

    @csrf_exempt
    def sign_out(request: Any) -> Any:
        logout(request)
        return HttpResponse(status=302, headers={"location": LOGIN})

    def cart(request: Any) -> Any:
        request.session["cart"] = 1
        return HttpResponse(b"ok")

    def mine(request: Any) -> Any:
        return HttpResponse(b"ok" if request.user.is_authenticated else b"who?")

    def api_mine(request: Any) -> Any:
        found = roles_of_token(request.headers.get("Authorization", ""))
        if found is not None:
            identify(f"user:{found[0]}", roles=found[1])
        return HttpResponse(b"ok" if found else b"who?")

    @csrf_exempt
    def upload(request: Any) -> Any:
        return HttpResponse(str(len(request.FILES["file"].read())).encode(), status=201)

    return [
        path("admin/", admin.site.urls),
        path("sign-in", sign_in),
        path("sign-out", sign_out),
        path("cart", cart),
        path("mine", mine),
        path("api/mine", api_mine),
        path("members", login_required(ok)),
        path("form", ok),
        path("upload", upload),
        re_path(r"^static/(?P<path>.*)$", serve, {"document_root": STATIC}),
        path("shop/", include([path("items/<int:id>", ok)])),
    ]


def django_urls() -> list[Any]:
    """The routes of the table, for other tests of Django too."""
    from django.urls import path

    return [path(path_of(route.path), view_of(route)) for route in ROUTES]


def __getattr__(name: str) -> Any:
    if name == "urlpatterns":
        return [*django_urls(), *_own_urls()]
    raise AttributeError(name)


def _people() -> dict[str, str]:
    from django.contrib.auth.hashers import make_password
    from django.contrib.auth.models import User

    people = [User(username=name, password=make_password(PASSWORD)) for name in ("ann", "bob")]
    User.objects.bulk_create(people, ignore_conflicts=True)  # no signal: no event of it
    found = User.objects.filter(username__in=("ann", "bob"))
    return {f"user:{user.pk}": f"user:{user.username}" for user in found}


def _build(audit: FlowAudit, *, is_asgi: bool) -> Build:
    configure()
    from django.core.handlers.asgi import ASGIHandler
    from django.core.handlers.wsgi import WSGIHandler
    from django.db import connections
    from django.test import override_settings

    changed = override_settings(
        ROOT_URLCONF=__name__,
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    )
    changed.enable()
    fresh_audit(audit)

    def close() -> None:
        changed.disable()
        connections.close_all()

    handler = ASGIHandler() if is_asgi else WSGIHandler()
    return Build(handler, is_asgi=is_asgi, names=_people(), close=close)


def build_wsgi(audit: FlowAudit) -> Build:
    """The app under Django's WSGI handler."""
    return _build(audit, is_asgi=False)


def build_asgi(audit: FlowAudit) -> Build:
    """The app under Django's ASGI handler."""
    return _build(audit, is_asgi=True)
