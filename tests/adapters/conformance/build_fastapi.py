"""The app in FastAPI: parameters, dependencies, security classes, routers, background tasks."""

import time
from collections.abc import Callable
from typing import Annotated, Any

import fastapi
from fastapi import BackgroundTasks, Depends, File, HTTPException, Request, UploadFile
from fastapi.security import HTTPBearer
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from flowaudit import FlowAudit
from flowaudit_fastapi import FlowAuditMiddleware, identified

from .app import ROUTES, Ask, Barred, Reply, Route, Swallowed, roles_of_token
from .build import Build
from .build_starlette import STATIC, answer, broken, refuse_form, socket_routes, swallowing
from .sessions import COOKIE, Sessions

__all__ = ["build"]

Bearer = Annotated[Any, Depends(HTTPBearer(auto_error=False))]


async def body_of(request: Request) -> bytes:
    """The body, for endpoints that run in a thread."""
    return await request.body()


def view_of(route: Route) -> Callable[..., Any]:
    """A route of the table as an endpoint, run in FastAPI's thread pool."""

    def view(
        request: Request, body: Annotated[bytes, Depends(body_of)], tasks: BackgroundTasks
    ) -> Response:
        if route.pause_s:
            time.sleep(route.pause_s)
        reply = route.do(Ask(request.method, request.path_params, body))
        if isinstance(reply, Reply) and reply.later is not None:
            tasks.add_task(reply.later)
            reply.later = None
        return answer(reply)

    return view


def _own_routes(app: fastapi.FastAPI, sessions: Sessions) -> None:
    def by_session(request: Request) -> str | None:
        return sessions.people.get(request.cookies.get(COOKIE, ""))

    def by_token(bearer: Bearer) -> dict[str, Any] | None:
        found = roles_of_token(f"Bearer {bearer.credentials}" if bearer else "")
        return {"sub": found[0], "roles": found[1]} if found else None

    def signed_in(name: Annotated[str | None, Depends(by_session)]) -> str:
        if name is None:
            raise HTTPException(401)
        return name

    ok = Response(b"ok")

    @app.post("/sign-in")
    def sign_in(body: Annotated[bytes, Depends(body_of)]) -> Response:
        return answer(sessions.sign_in(body))

    @app.post("/sign-out")
    def sign_out(request: Request) -> Response:
        return answer(sessions.sign_out(request.cookies.get(COOKIE)))

    @app.get("/cart")
    def cart() -> Response:
        return answer(Reply(headers=sessions.begin(None)))

    @app.post("/form")
    def form(request: Request, body: Annotated[bytes, Depends(body_of)]) -> Response:
        return refuse_form(request) or ok

    @app.post("/upload")
    async def upload(file: Annotated[UploadFile, File()]) -> Response:
        return Response(str(len(await file.read())).encode(), 201)

    @app.get("/mine")
    def mine(user: Annotated[Any, Depends(identified(by_session))]) -> Response:
        return ok if user else Response(b"who?")

    @app.get("/api/mine")
    def api_mine(user: Annotated[Any, Depends(identified(by_token))]) -> Response:
        return ok if user else Response(b"who?")

    app.get("/members", dependencies=[Depends(identified(signed_in))])(lambda: ok)
    shop = fastapi.APIRouter(prefix="/shop")
    shop.get("/items/{id}")(lambda id: ok)
    app.include_router(shop)
    app.mount("/static", StaticFiles(directory=STATIC))
    app.router.routes.extend(socket_routes())


def build(audit: FlowAudit) -> Build:
    """The app, wrapped in FastAPI's idiom."""
    app = fastapi.FastAPI(
        exception_handlers={Barred: broken, Swallowed: swallowing}, openapi_url=None
    )
    for route in ROUTES:
        methods = [*route.methods, "HEAD"] if "GET" in route.methods else [*route.methods]
        app.add_api_route(route.path, view_of(route), methods=methods, response_model=None)
    _own_routes(app, Sessions())
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["testserver"])
    app.add_middleware(FlowAuditMiddleware, audit=audit)
    return Build(app, is_asgi=True)
