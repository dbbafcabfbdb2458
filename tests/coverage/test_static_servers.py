"""Static servers around an app, the real ones: each file that leaves no event is found."""

import pytest

WHITENOISE = """
from flask import Flask
from whitenoise import WhiteNoise
from flowaudit import FlowAudit
from flowaudit_flask import FlowAuditFlask

audit = FlowAudit(trail="real.db")
shop = Flask("shop", static_folder=None)
@shop.get("/a")
def a(): return "a"
FlowAuditFlask(shop, audit=audit)
def around(**options):
    files = WhiteNoise(shop, **options)
    files.add_files("assets", prefix="files")
    return files
app = around()
refreshing = around(autorefresh=True)
indexed = around(index_file="a b.css")
whole = audit.wsgi(app)

within = Flask("within", static_folder=None)
@within.get("/a")
def a(): return "a"
within.wsgi_app = WhiteNoise(within.wsgi_app, root="assets", prefix="files")
FlowAuditFlask(within, audit=audit)
"""

SETTINGS = """
SECRET_KEY = "only for a test"
ALLOWED_HOSTS = ["clinic.example.org"]
ROOT_URLCONF = "site_urls"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes",
                  "django.contrib.staticfiles", "flowaudit_django"]
MIDDLEWARE = {middleware}
FLOWAUDIT = {{"trail": "real.db"}}
STATIC_URL = "{base}files/"
STATICFILES_DIRS = ["assets"]
WHITENOISE_AUTOREFRESH = {refreshes}
WHITENOISE_USE_FINDERS = {finds}
{root}
USE_TZ = True
"""

URLS = """
from django.http import HttpResponse
from django.urls import path
urlpatterns = [path("a", lambda request: HttpResponse("a"))]
"""

PROJECT = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "site_settings"
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler, StaticFilesHandler
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
wsgi, asgi = get_wsgi_application(), get_asgi_application()
wsgi_files, asgi_files = StaticFilesHandler(wsgi), ASGIStaticFilesHandler(asgi)
from flowaudit_django import get_audit
wsgi_whole, asgi_whole = get_audit().wsgi(wsgi_files), get_audit().asgi(asgi_files)
"""

OURS = "flowaudit_django.FlowAuditMiddleware"
WHITE = "whitenoise.middleware.WhiteNoiseMiddleware"
COMMON = "django.middleware.common.CommonMiddleware"
BY_FINDERS, AS_THEY_COME, BY_ROOT = (
    {"refreshes": False, "finds": True, "root": ""},
    {"refreshes": True, "finds": False, "root": "STATIC_ROOT = 'assets'"},
    {"refreshes": False, "finds": False, "root": "STATIC_ROOT = 'assets'"},
)


@pytest.fixture(autouse=True)
def _assets(tmp_path):
    (tmp_path / "assets" / "css").mkdir(parents=True)
    (tmp_path / "assets" / "css" / "a b.css").write_text("p {}")


def statics(ran):
    return [(e["asked"], e["status"]) for e in ran.found["endpoints"] if e["kind"] == "static"]


FILE = [("GET /files/css/a%20b.css", 200)]


@pytest.mark.parametrize(
    ("app", "holes", "asked"),
    [
        ("app", {"static /files/css"}, FILE),
        ("refreshing", {"static /files"}, FILE),
        ("indexed", {"static /files"}, [("GET /files/css", 302)]),
        ("whole", set(), FILE),
        ("within", set(), FILE),
    ],
)
def test_whitenoise_around_an_app(project, coverage, app, holes, asked):
    pytest.importorskip("flask")
    pytest.importorskip("whitenoise")
    project(main=WHITENOISE)
    ran = coverage(f"main:{app}")
    assert ran.named("uncovered") == holes, ran
    assert "route /a" in ran.named("covered")
    assert statics(ran) == asked


@pytest.mark.parametrize("app", ["wsgi", "asgi"])
@pytest.mark.parametrize(
    ("middleware", "options", "holes"),
    [
        ([WHITE, OURS, COMMON], BY_FINDERS, {"static /files/css"}),
        ([COMMON, WHITE, OURS], BY_FINDERS, {"static /files/css"}),
        ([WHITE, OURS], AS_THEY_COME, {"static /files"}),
        ([WHITE, OURS], BY_ROOT, {"static /files/css"}),
        ([OURS, WHITE], BY_FINDERS, set()),
        ([OURS, COMMON, WHITE], AS_THEY_COME, set()),
    ],
    ids=["before", "in-the-middle", "looking-up", "by-root", "behind", "far-behind"],
)
def test_whitenoise_among_djangos_middlewares(project, coverage, app, middleware, options, holes):
    pytest.importorskip("django")
    pytest.importorskip("whitenoise")
    project(
        site_settings=SETTINGS.format(middleware=middleware, base="", **options),
        site_urls=URLS,
        main=PROJECT,
    )
    ran = coverage(f"main:{app}")
    assert ran.named("uncovered") == holes, ran
    assert "route /a" in ran.named("covered")
    assert statics(ran) == FILE


@pytest.mark.parametrize(
    ("app", "base", "holes", "asked"),
    [
        ("wsgi_files", "", {"static /files"}, FILE),
        ("asgi_files", "/", {"static /files"}, FILE),
        ("wsgi_whole", "/", set(), FILE),
        ("asgi_whole", "", set(), FILE),
        ("wsgi_files", "https://files.example.org/", set(), []),
    ],
    ids=["wsgi", "asgi", "wsgi-whole", "asgi-whole", "on-another-host"],
)
def test_djangos_own_static_servers(project, coverage, app, base, holes, asked):
    pytest.importorskip("django")
    options = SETTINGS.format(middleware=[OURS], base=base, **BY_FINDERS)
    project(site_settings=options, site_urls=URLS, main=PROJECT)
    ran = coverage(f"main:{app}")
    assert ran.named("uncovered") == holes, ran
    assert "route /a" in ran.named("covered")
    assert statics(ran) == asked
