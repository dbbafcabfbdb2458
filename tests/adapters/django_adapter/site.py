"""The views of the tests' Django site: each refuses, answers or changes in one way."""

import asyncio
from pathlib import Path
from typing import Any

from django.contrib import admin
from django.contrib.auth import authenticate, login, logout
from django.contrib.auth.decorators import login_required, permission_required, user_passes_test
from django.contrib.auth.mixins import LoginRequiredMixin, PermissionRequiredMixin
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView, PasswordChangeView
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import (
    FileResponse,
    Http404,
    HttpResponse,
    HttpResponseForbidden,
    StreamingHttpResponse,
)
from django.shortcuts import redirect
from django.urls import include, path, re_path
from django.views import View
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from django.views.static import serve

import flowaudit


def open_page(request: Any, **_: Any) -> HttpResponse:
    return HttpResponse("nobody looked at")


def who(request: Any, **_: Any) -> HttpResponse:
    return HttpResponse(str(request.user.pk))


async def async_who(request: Any) -> HttpResponse:
    return HttpResponse(str((await request.auser()).pk))


def session_only(request: Any) -> HttpResponse:
    return HttpResponse(str(len(request.session.keys())))


def grouped(request: Any) -> HttpResponse:
    user = User.objects.prefetch_related("groups").get(pk=request.user.pk)
    request.user = user
    return HttpResponse("prefetched")


def deferred(request: Any) -> HttpResponse:
    request.user = User.objects.only("username").get(pk=request.user.pk)
    return HttpResponse("deferred")


@csrf_exempt
def sign_in(request: Any) -> HttpResponse:
    user = authenticate(request, username=request.POST["name"], password=request.POST["pw"])
    if user is not None:
        login(request, user)
    return HttpResponse("in" if user else "again")


@csrf_exempt
async def async_sign_in(request: Any) -> HttpResponse:
    from django.contrib.auth import aauthenticate, alogin  # since Django 5.0

    user = await aauthenticate(request, username=request.POST["name"], password=request.POST["pw"])
    if user is not None:
        await alogin(request, user)
    return HttpResponse("in" if user else "again")


@csrf_exempt
def sign_out(request: Any) -> HttpResponse:
    logout(request)
    return redirect("/accounts/login/")


@csrf_exempt
def sign_up(request: Any) -> HttpResponse:
    return redirect("/accounts/login/")


def by_hand(request: Any) -> HttpResponse:
    return redirect("/accounts/login/")


def forbidden(request: Any) -> HttpResponse:
    raise PermissionDenied


def broken(request: Any) -> HttpResponse:
    raise PermissionError("a broken handler makes a 500 of it")


def boom(request: Any) -> HttpResponse:
    raise RuntimeError("boom")


def hidden(request: Any) -> HttpResponse:
    flowaudit.hide()
    raise Http404


def told(request: Any) -> HttpResponse:
    flowaudit.deny("not-my-patient")
    return HttpResponseForbidden()


def graph(request: Any) -> HttpResponse:
    flowaudit.deny("forbidden")
    return HttpResponse('{"errors": [{"extensions": {"code": "FORBIDDEN"}}]}')


def suspicious(request: Any) -> HttpResponse:
    raise SuspiciousOperation("odd")


@csrf_exempt
def upload(request: Any) -> HttpResponse:
    return HttpResponse(str(len(request.body)))


@csrf_exempt
def form(request: Any) -> HttpResponse:
    return HttpResponse(str(len(request.POST)))


def status(request: Any, code: int) -> HttpResponse:
    return HttpResponse(status=code)


def stream(request: Any) -> StreamingHttpResponse:
    def blocks() -> Any:
        yield b"one"
        flowaudit.note(said="between two blocks")
        yield b"two"

    return StreamingHttpResponse(blocks())


def stream_async(request: Any) -> StreamingHttpResponse:
    async def blocks() -> Any:
        yield b"one"
        flowaudit.note(said="between two blocks")
        yield b"two"

    return StreamingHttpResponse(blocks())


def stream_broken(request: Any) -> StreamingHttpResponse:
    def blocks() -> Any:
        yield b"one"
        raise RuntimeError("boom")

    return StreamingHttpResponse(blocks())


def announced(request: Any, length: int) -> Any:
    """Five bytes that are said to be so many, at once or as a stream, with a header or none."""
    kind = StreamingHttpResponse if request.GET.get("stream") else HttpResponse
    answer = kind([b"he", b"llo"], status=int(request.GET.get("status", 200)))
    answer.headers["Content-Length"] = str(length)
    if name := request.GET.get("header"):
        answer.headers[name] = "/elsewhere"
    return answer


async def slow(request: Any) -> HttpResponse:
    await asyncio.sleep(60)
    return HttpResponse()


def slow_stream(request: Any) -> StreamingHttpResponse:
    async def blocks() -> Any:
        yield b"one"
        await asyncio.sleep(60)

    return StreamingHttpResponse(blocks())


def file(request: Any) -> FileResponse:
    return FileResponse(open(__file__, "rb"))


class Private(LoginRequiredMixin, View):
    def get(self, request: Any) -> HttpResponse:
        return HttpResponse("private")


class Permitted(PermissionRequiredMixin, View):
    permission_required = "auth.add_user"

    def get(self, request: Any) -> HttpResponse:
        return HttpResponse("permitted")


class ChangePassword(PasswordChangeView):
    success_url = "/open"


def never(user: Any) -> bool:
    return False


urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/login/", LoginView.as_view(template_name="admin/login.html"), name="login"),
    path("accounts/login/again", by_hand),
    path("open", open_page),
    path("who", who),
    path("a/who", async_who),
    path("session-only", session_only),
    path("grouped", grouped),
    path("deferred", deferred),
    path("sign-in", sign_in),
    path("a/sign-in", async_sign_in),
    path("sign-out", sign_out),
    path("sign-up", sign_up),
    path("by-hand", by_hand),
    path("password", ChangePassword.as_view()),
    path("login-required", login_required(open_page)),
    path("elsewhere", login_required(open_page, login_url="https://sso.example/in")),
    path("tested", user_passes_test(never)(open_page)),
    path("permission", permission_required("auth.add_user")(open_page)),
    path("permission-403", permission_required("auth.add_user", raise_exception=True)(open_page)),
    path("mixin", Private.as_view()),
    path("permission-mixin", Permitted.as_view()),
    path("forbidden", forbidden),
    path("broken", broken),
    path("boom", boom),
    path("hidden", hidden),
    path("told", told),
    path("graph", graph),
    path("suspicious", suspicious),
    path("upload", upload),
    path("form", form),
    path("checked-form", open_page),
    path("post-only", csrf_exempt(require_POST(open_page))),
    path("status/<int:code>", csrf_exempt(status)),
    path("stream", stream),
    path("stream-async", stream_async),
    path("stream-broken", stream_broken),
    path("announced/<int:length>", announced),
    path("slow", slow),
    path("slow-stream", slow_stream),
    path("file", file),
    path("invited/<slug:token>/", open_page),
    path("patients/<int:pid>/", include([path("records/<slug:id>", open_page)])),
    re_path(r"^assets/(?P<path>.*)$", serve, {"document_root": Path(__file__).parent}),
    re_path(r"^year/(?P<year>[0-9]{4})/$", open_page),
]


def _with_rest_framework() -> None:
    from . import rest

    urlpatterns.append(path("api/", include(rest.urlpatterns)))


def _with_ratelimit() -> None:
    from django_ratelimit.decorators import ratelimit

    limited = ratelimit(key="ip", rate="1/h")

    def decided(request: Any) -> HttpResponse:
        return HttpResponse(status=429 if request.limited else 200)

    urlpatterns.append(path("limited", limited(open_page)))
    urlpatterns.append(
        path("limited-by-view", ratelimit(key="ip", rate="1/h", block=False)(decided))
    )


def _with_hijack() -> None:
    urlpatterns.append(path("hijack/", include("hijack.urls")))


def _with_impersonate() -> None:
    urlpatterns.append(path("impersonate/", include("impersonate.urls")))


for _add in (_with_rest_framework, _with_ratelimit, _with_hijack, _with_impersonate):
    try:
        _add()
    except ImportError:  # that package is not installed: its tests are skipped
        continue
