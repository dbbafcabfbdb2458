"""`flowaudit coverage`: planted holes are found in every framework, and whole apps are whole."""

import csv
import io
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from . import apps

FASTAPI = {"main": apps.FASTAPI}
FLASK = {"main": apps.FLASK}
STARLETTE = {"main": apps.STARLETTE}
DJANGO = {"site_settings": apps.DJANGO_SETTINGS, "site_urls": apps.DJANGO_URLS}
DJANGO_WSGI = {**DJANGO, "main": apps.DJANGO_WSGI}
DJANGO_ASGI = {**DJANGO, "main": apps.DJANGO_ASGI}
RAW = {"main": apps.RAW}

HOLES = [
    pytest.param(
        FASTAPI,
        "fastapi",
        {"mount /admin", "route /admin/stats", "error 404 in /admin", "error 405 in /admin"},
        id="fastapi-mounted-outside",
    ),
    pytest.param(
        FLASK,
        "flask",
        {"mount /old", "route /old/archive", "error 404 in /old", "error 405 in /old"},
        id="flask-behind-a-dispatcher",
    ),
    pytest.param(
        STARLETTE,
        "starlette",
        {"route /health", "websocket /side"},
        id="starlette-outer-router",
    ),
    pytest.param(DJANGO_WSGI, "django", {"route /old"}, id="django-behind-a-function"),
    pytest.param(DJANGO_ASGI, "django", {"route /old"}, id="django-behind-an-object"),
    pytest.param(RAW, "flowaudit", {"route /ping", "route /pong"}, id="raw"),
]


@pytest.fixture(autouse=True)
def _assets(tmp_path: Path) -> None:
    (tmp_path / "assets" / "css").mkdir(parents=True)
    (tmp_path / "assets" / "css" / "a b.css").write_text("p {}")


@pytest.mark.parametrize(("files", "needs", "holes"), HOLES)
def test_a_planted_hole_is_found_and_nothing_else(project, coverage, files, needs, holes):
    pytest.importorskip(needs)
    folder = project(**files)
    before = sorted(path.name for path in folder.iterdir())
    ran = coverage("main:app")
    assert ran.named("uncovered") == holes, ran
    assert ran.status == 1
    assert ran.found["uncovered"] == len(holes)
    assert sorted(path.name for path in folder.iterdir()) == before, "something was left behind"


@pytest.mark.parametrize(("files", "needs", "holes"), HOLES)
def test_a_whole_app_has_no_hole(project, coverage, files, needs, holes):
    pytest.importorskip(needs)
    folder = project(**files)
    ran = coverage("main:whole")
    assert (ran.status, ran.named("uncovered")) == (0, set()), ran
    assert ran.found["audits"] == 1
    assert ran.found["covered"] >= 2
    assert not (folder / "real.db").exists()


@pytest.mark.parametrize(
    ("files", "needs", "asked"),
    [
        pytest.param(
            FASTAPI,
            "fastapi",
            {
                "GET /v1/deep/items/1/1.0/00000000-0000-4000-8000-000000000000/x 200",
                "websocket /v1/deep/talk/x 101",
                "OPTIONS /orders 405",
                "GET /broken 500",
                "GET /assets/css/a%20b.css 200",
                "GET /admin/flowaudit-coverage-unknown 404",
                "TRACE /admin/stats 405",
            },
            id="fastapi",
        ),
        pytest.param(
            FLASK,
            "flask",
            {
                "GET /items/1/1.0/00000000-0000-4000-8000-000000000000/blue/x 200",
                "OPTIONS /orders 200",
                "GET /assets/css/a%20b.css 200",
                "GET /old/archive 200",
                "GET /flowaudit-coverage-unknown 404",
            },
            id="flask",
        ),
        pytest.param(
            STARLETTE,
            "starlette",
            {"GET /home 200", "OPTIONS /orders 405", "websocket /talk 101", "GET /tenant 200"},
            id="starlette",
        ),
        *(
            pytest.param(
                files,
                "django",
                {
                    "GET /records/1/00000000-0000-4000-8000-000000000000/x 200",
                    "OPTIONS /orders/ 200",
                    "GET /team/x/x/ 200",
                    "GET /team/x/year/2026/ 200",
                    "GET /media/css/a%20b.css 200",
                    "GET /flowaudit-coverage-unknown 404",
                },
                id=name,
            )
            for name, files in (("django-wsgi", DJANGO_WSGI), ("django-asgi", DJANGO_ASGI))
        ),
    ],
)
def test_every_endpoint_is_asked_as_it_can_be(project, coverage, files, needs, asked):
    pytest.importorskip(needs)
    project(**files)
    found = coverage("main:app").found["endpoints"]
    assert asked <= {f"{each['asked']} {each['status']}" for each in found}


def test_what_cannot_be_asked_is_said(project, coverage):
    pytest.importorskip("django")
    project(**DJANGO_WSGI)
    found = coverage("main:whole").found["endpoints"]
    why = {each["path"]: each["detail"] for each in found if each["result"] == "not-probed"}
    assert why == {"/odd/{code}/": "its parameters cannot be filled"}


HOSTS = """
from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Route, WebSocketRoute
from flowaudit import FlowAudit

class Code(Convertor):
    regex = "[QZ]{7}"
    def convert(self, value): return value
    def to_string(self, value): return value
register_url_convertor("code", Code())
async def told(request): return PlainTextResponse(request.headers["host"])
async def talk(socket): await socket.close()

api = Starlette(routes=[Route("/told", told)])
tenants = Starlette(routes=[Route("/told", told), WebSocketRoute("/talk", talk)])
app = Starlette(routes=[Host("api.example.org", api), Host("{tenant}.shop.example", tenants),
                        Host("{code:code}.example.net", api), Route("/other", told)])
audit = FlowAudit(trail="real.db")
whole = audit.asgi(app)
"""


def test_a_route_of_a_certain_host_is_asked_there_and_says_so(project, coverage):
    pytest.importorskip("starlette")
    project(main=HOSTS)
    found = coverage("main:whole").found["endpoints"]
    routes = {(e["host"], e["path"], e["status"]) for e in found if e["kind"] != "error"}
    assert routes == {
        ("api.example.org", "/told", 200),
        ("x.shop.example", "/told", 200),
        ("x.shop.example", "/talk", 403),
        ("{code}.example.net", "/told", None),
        (None, "/other", 200),
    }
    lines = coverage("main:app", fmt="text").out.splitlines()
    assert "  route  /told at api.example.org: asked GET /told, 200" in lines
    assert "  websocket  /talk at x.shop.example: asked websocket /talk, 403" in lines
    assert "  error handler  405 at x.shop.example: asked TRACE /told, 405" in lines
    assert "  route  /other: asked GET /other, 200" in lines
    [unknown] = [line for line in lines if line.startswith("  route  /told at {code}")]
    assert unknown.endswith(".example.net: not probed: its parameters cannot be filled")


MATCHED = """
from flask import Flask, request
from werkzeug.routing import BaseConverter
from flowaudit import FlowAudit

class Code(BaseConverter):
    regex = "[QZ]{{7}}"
app = Flask("app", static_folder=None, {options})
app.config["SERVER_NAME"] = "example.org"
app.url_map.converters["code"] = Code
for number, where in enumerate({where}):
    app.add_url_rule("/told", str(number), lambda **_: request.host, {key}=where)
whole = FlowAudit(trail="real.db").wsgi(app)
"""


@pytest.mark.parametrize(
    ("options", "key", "where", "hosts"),
    [
        (
            "host_matching=True, static_host=None",
            "host",
            ["api.test", "<tenant>.test", "<code:c>.test"],
            {("api.test", 200), ("x.test", 200), ("{c}.test", None)},
        ),
        (
            "subdomain_matching=True",
            "subdomain",
            ["api", "<tenant>", "<code:c>"],
            {("api.example.org", 200), ("x.example.org", 200), ("{c}.example.org", None)},
        ),
    ],
    ids=["host-matching", "subdomains"],
)
def test_flasks_rules_are_asked_under_their_host(project, coverage, options, key, where, hosts):
    pytest.importorskip("flask")
    project(main=MATCHED.format(options=options, key=key, where=where))
    found = coverage("main:whole").found["endpoints"]
    assert {(e["host"], e["status"]) for e in found if e["kind"] == "route"} == hosts


def test_what_an_error_handler_is_for_is_listed(project, coverage):
    pytest.importorskip("fastapi")
    project(**FASTAPI)
    told = {e["path"]: e["detail"] for e in coverage("main:whole").found["endpoints"]}
    assert told["LookupError"] == "cannot be provoked from outside"


def test_the_real_trail_stays_as_it_was(project, coverage):
    folder = project(main=apps.RAW + "audit.record('ops', 'deploy')\n")
    first = coverage("main:whole")
    assert first.status == 0
    assert not list(folder.glob("real.db*")), "even what the app records as it is imported"
    made = {"main": apps.RAW}
    project(**made)
    from flowaudit import FlowAudit

    own = FlowAudit(trail=folder / "real.db")
    own.record("ops", "deploy")
    own.close()
    before = sorted((p.name, p.stat().st_mtime_ns) for p in folder.glob("real.db*"))
    assert coverage("main:whole").status == 0
    assert sorted((p.name, p.stat().st_mtime_ns) for p in folder.glob("real.db*")) == before
    with closing(sqlite3.connect(folder / "real.db")) as db:
        [(count,)] = db.execute("SELECT count(*) FROM event")
    assert count == 4  # start, deploy, stop, and that a key was made


def test_what_the_policy_leaves_out_is_no_hole(project, coverage):
    pytest.importorskip("flask")
    project(
        **FLASK,
        flowaudit='[[policy]]\nlevel = "meta"\npath = "/orders"\n'
        '[[policy]]\nlevel = "none"\nroute = "/assets/{filename}"\n',
    )
    ran = coverage("main:whole")
    assert (ran.status, ran.named("left-out")) == (0, {"static /assets/{filename}"}), ran
    [left] = [e for e in ran.found["endpoints"] if e["result"] == "left-out"]
    assert left["detail"] == "left out by the policy: policy[1]"


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("main", "'main' names no app; expected module:attribute, such as main:app"),
        ("main:", "'main:' names no app; expected module:attribute, such as main:app"),
        ("nowhere:app", "there is no module 'nowhere' here"),
        ("main:other", "module 'main' has no 'other'"),
        ("main:app.x.y", "module 'main' has no 'app.x.y'"),
        ("main:nothing", "main:nothing is a int, neither an ASGI nor a WSGI app"),
        ("main:bare()", "main:bare() raised TypeError: bare() missing 2 required positional"),
        ("main:app[0]", "'app[0]' is no attribute, nor a call with plain values"),
        ("main:bare(open('x'))", "is no attribute, nor a call with plain values"),
        ("broken:app", "module 'broken' raised ZeroDivisionError: division by zero"),
        ("quits:app", "module 'quits' raised SystemExit: 3"),
        ("needs:app", "module 'needs' raised ModuleNotFoundError: No module named 'absent_one'"),
    ],
    ids=lambda value: value if ":" in value and " " not in value else "",
)
def test_a_wrong_use_is_one_line_and_status_2(project, coverage, spec, says):
    project(
        main=apps.RAW, broken="1 / 0\n", quits="raise SystemExit(3)\n", needs="import absent_one"
    )
    ran = coverage(spec)
    assert (ran.status, ran.out) == (2, "")
    assert says in ran.err
    assert len(ran.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("spec", "status"),
    [
        ("main:make('shop', is_whole=True)", 0),
        ("main:make('shop')", 1),
        ("main:factory.make('shop', is_whole=True)", 0),
    ],
)
def test_an_app_may_be_made_by_a_call(project, coverage, spec, status):
    pytest.importorskip("flask")
    project(**FLASK)
    assert coverage(spec).status == status


def test_an_app_without_flowaudit_is_uncovered_and_told(project, coverage):
    project(main="def app(environ, start_response):\n    raise LookupError('private')\n")
    ran = coverage("main:app", fmt="text")
    assert ran.status == 1
    assert ran.out.splitlines() == [
        "1 route, 1 error handler; 2 probed: 2 left no event.",
        "The app made no FlowAudit: nothing of it can leave an event.",
        "",
        "No event",
        "  route  /: asked GET /, raised LookupError",
        "  error handler  404: asked GET /flowaudit-coverage-unknown, raised LookupError",
    ]


def test_it_needs_no_extra(project, tmp_path):
    project(main=apps.RAW)
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['duckdb', 'pyarrow', 'rich', 'jinja2']));"
        "sys.modules.update(dict.fromkeys(['django', 'fastapi', 'flask', 'celery']));"
        "from flowaudit.cli.main import main; raise SystemExit(main(['coverage', 'main:whole']))"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("probed: each left an event.\n")


def test_csv_has_a_row_for_each_endpoint(project, coverage):
    project(**RAW)
    rows = list(csv.DictReader(io.StringIO(coverage("main:app", fmt="csv").out)))
    assert [(row["path"], row["asked"], row["result"]) for row in rows] == [
        ("/ping", "GET /ping", "uncovered"),
        ("/pong", "GET /pong", "uncovered"),
    ]


def test_the_json_keys_are_the_documented_ones(project, coverage):
    project(**RAW)
    found = coverage("main:app").found
    text = (Path(__file__).parents[2] / "docs" / "coverage.md").read_text("utf-8")
    endpoints = found.pop("endpoints")
    found.pop("app")
    assert found == {
        "interface": "wsgi",
        "audits": 1,
        "routes": 2,
        "mounts": 0,
        "static": 0,
        "websockets": 0,
        "error_handlers": 0,
        "covered": 0,
        "uncovered": 2,
        "left_out": 0,
        "not_probed": 0,
    }
    assert endpoints[0] == {
        "kind": "route",
        "host": None,
        "path": "/ping",
        "methods": [],
        "asked": "GET /ping",
        "status": 200,
        "result": "uncovered",
        "detail": None,
    }
    for key in (*found, *endpoints[0]):
        assert f"`{key}`" in text, key


MIXED = """
from fastapi import FastAPI
from flask import Flask
from starlette.middleware.cors import CORSMiddleware
from starlette.staticfiles import StaticFiles
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.middleware.shared_data import SharedDataMiddleware
from flowaudit import FlowAudit
from flowaudit_fastapi import FlowAuditMiddleware
from flowaudit_flask import FlowAuditFlask

audit = FlowAudit(trail="real.db", beacon="/_flow")
inner = Flask("inner", static_folder=None)
FlowAuditFlask(inner, audit=audit)
@inner.get("/a")
def a(): return "a"
wsgi = ProxyFix(SharedDataMiddleware(inner, {"/files": "assets"}))

api = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
@api.get("/b")
async def b(): return "b"
api.add_middleware(FlowAuditMiddleware, audit=audit)
class Gate:
    def __init__(self, app, files):
        self.app, self.files = app, files
    async def __call__(self, scope, receive, send):
        is_file = scope["type"] == "http" and scope["path"].startswith("/css")
        await (self.files if is_file else self.app)(scope, receive, send)
asgi = CORSMiddleware(Gate(api, StaticFiles(directory="assets")), allow_origins=["*"])
"""


@pytest.mark.parametrize(
    ("app", "holes", "covered"),
    [
        ("wsgi", {"static /files"}, "route /a"),
        ("asgi", {"static /", "route /css"}, "route /b"),
    ],
)
def test_files_served_outside_are_found_behind_other_middlewares(
    project, coverage, app, holes, covered
):
    for needed in ("fastapi", "flask"):
        pytest.importorskip(needed)
    project(main=MIXED)
    ran = coverage(f"main:{app}")
    assert ran.named("uncovered") == holes, ran
    assert covered in ran.named("covered")
