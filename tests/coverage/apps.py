"""Apps of every kind, each whole and with a hole in it."""

FASTAPI = """
from uuid import UUID
from fastapi import APIRouter, FastAPI, WebSocket
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from flowaudit import FlowAudit
from flowaudit_fastapi import FlowAuditMiddleware

audit = FlowAudit(trail="real.db")
inside = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
inside.add_middleware(FlowAuditMiddleware, audit=audit)
router = APIRouter(prefix="/deep")

@router.get("/items/{id:int}/{size:float}/{key:uuid}/{rest:path}")
def item(id: int, size: float, key: UUID, rest: str): return [id, size, key, rest]
@router.websocket("/talk/{room}")
async def talk(socket: WebSocket, room: str):
    await socket.accept()
    await socket.receive_text()
inside.include_router(router, prefix="/v1")
@inside.post("/orders")
def order(): raise SystemError("the probe must not get here")
@inside.get("/broken")
def broken(): raise LookupError("on purpose")
@inside.exception_handler(LookupError)
async def answer(request, error): return PlainTextResponse("sorry", 500)
inside.mount("/assets", StaticFiles(directory="assets"))

outside = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
@outside.get("/stats")
def stats(): return {}
app = Starlette(routes=[Mount("/admin", outside), Mount("/", inside)])
whole = audit.asgi(app)
"""

FLASK = """
from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from flowaudit import FlowAudit
from flowaudit_flask import FlowAuditFlask

audit = FlowAudit(trail="real.db")
shop = Flask("shop", static_folder="assets")
FlowAuditFlask(shop, audit=audit)
@shop.get("/items/<int:id>/<float:size>/<uuid:key>/<any(red, blue):colour>/<path:rest>")
def item(**values): return values
@shop.post("/orders")
def order(): raise SystemError("the probe must not get here")
@shop.errorhandler(LookupError)
def answer(error): return "sorry", 500
@shop.errorhandler(404)
def missing(error): return "missing", 404

old = Flask("old", static_folder=None)
@old.get("/archive")
def archive(): return "archive"
app = DispatcherMiddleware(shop, {"/old": old})
whole = audit.wsgi(app)
def make(name, *, is_whole=False): return whole if is_whole else app
class factory:
    make = staticmethod(make)
"""

STARLETTE = """
from contextlib import asynccontextmanager
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Mount, Route, Router, WebSocketRoute
from flowaudit import FlowAudit
from flowaudit_fastapi import FlowAuditMiddleware

audit = FlowAudit(trail="real.db")
started = []
async def home(request): return PlainTextResponse(request.app.state.ready)
async def health(request): return PlainTextResponse("well")
async def talk(socket):
    await socket.accept()
    await socket.close()
class Orders(HTTPEndpoint):
    async def post(self, request): raise SystemError("the probe must not get here")
@asynccontextmanager
async def lifespan(app):
    app.state.ready = "yes"
    yield
inner = Starlette(
    routes=[Route("/home", home), Route("/orders", Orders), WebSocketRoute("/talk", talk),
            Host("{tenant}.example.org", Router([Route("/tenant", health)]))],
    middleware=[Middleware(FlowAuditMiddleware, audit=audit)], lifespan=lifespan)
app = Router(
    [Route("/health", health), WebSocketRoute("/side", talk), Mount("/", inner)],
    lifespan=lambda app: inner.router.lifespan_context(inner))
whole = audit.asgi(app)
"""

DJANGO_SETTINGS = """
SECRET_KEY = "only for a test"
ALLOWED_HOSTS = ["clinic.example.org"]
ROOT_URLCONF = "site_urls"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "flowaudit_django"]
MIDDLEWARE = ["flowaudit_django.FlowAuditMiddleware", "django.middleware.common.CommonMiddleware"]
FLOWAUDIT = {"trail": "real.db"}
USE_TZ = True
"""

DJANGO_URLS = """
from django.http import HttpResponse
from django.urls import include, path, re_path
from django.views import View
from django.views.static import serve

def page(request, **values): return HttpResponse(repr(values))
class Order(View):
    def post(self, request): raise SystemError("the probe must not get here")
inner = [path("<slug:name>/", page), re_path(r"^year/(?P<year>[0-9]{4})/$", page)]
urlpatterns = [
    path("records/<int:pk>/<uuid:key>/<path:rest>", page),
    path("orders/", Order.as_view()),
    path("team/<str:team>/", include(inner)),
    re_path(r"^odd/(?P<code>[QZ]{7}-[0-9]{3})/$", page),
    re_path(r"^media/(?P<path>.*)$", serve, {"document_root": "assets"}),
]
handler404 = lambda request, exception: HttpResponse("missing", status=404)
"""

DJANGO = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "site_settings"
from django.core.{kind} import get_{kind}_application
project = get_{kind}_application()
"""

DJANGO_WSGI = (
    DJANGO.format(kind="wsgi")
    + """
def old(environ, start_response):
    start_response("200 OK", [("Content-Length", "3")])
    return [b"old"]
def app(environ, start_response):
    if environ["PATH_INFO"].startswith("/old"):
        return old(environ, start_response)
    return project(environ, start_response)
from flowaudit_django import get_audit
whole = get_audit().wsgi(app)
"""
)

DJANGO_ASGI = (
    DJANGO.format(kind="asgi")
    + """
class Dispatcher:
    def __init__(self, project): self.project = project
    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            return
        if scope["path"] == "/old":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"old"})
        else:
            await self.project(scope, receive, send)
app = Dispatcher(project)
from flowaudit_django import get_audit
whole = get_audit().asgi(app)
"""
)

RAW = """
from flowaudit import FlowAudit
audit = FlowAudit(trail="real.db")
def bare(environ, start_response):
    print("what an app prints is no part of the answer")
    start_response("200 OK", [])
    return [b"x"]
whole = audit.wsgi(bare)
def app(environ, start_response):
    return (bare if environ["PATH_INFO"] in ("/ping", "/pong") else whole)(environ, start_response)
nothing = 7
"""
