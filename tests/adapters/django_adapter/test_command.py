"""`manage.py flowaudit …` in a real project, in processes of its own."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowaudit.event import flat_event
from flowaudit.trail.paths import TrailPaths
from flowaudit.trail.reader import TrailReader
from flowaudit.verification.trail import verify_trail

pytest.importorskip("duckdb")

SETTINGS = """
from pathlib import Path
BASE_DIR = Path(__file__).parent
SECRET_KEY = "only for tests"
ALLOWED_HOSTS = ["testserver"]
ROOT_URLCONF = "shop.urls"
USE_TZ = True
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes",
                  "django.contrib.sessions", "flowaudit_django"]
MIDDLEWARE = ["flowaudit_django.FlowAuditMiddleware",
              "django.contrib.sessions.middleware.SessionMiddleware",
              "django.contrib.auth.middleware.AuthenticationMiddleware"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "d.db"}}
FLOWAUDIT = {"trail": BASE_DIR / "t.db", "vault": BASE_DIR / "secret" / "people.db",
             "policy": BASE_DIR / "policy.toml", "service": "shop"}
"""
URLS = """
from django.http import HttpResponse
from django.urls import path
def sign_in(request):
    from django.contrib.auth import authenticate
    return HttpResponse(str(authenticate(request, username="nobody", password="no")))
urlpatterns = [path("who", lambda request: HttpResponse(str(request.user.pk))),
               path("in", sign_in)]
"""
MANAGE = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""
VISIT = """
from django.contrib.auth.models import User
from django.test import Client
client = Client()
client.force_login(User.objects.create_superuser("amy", password="pw"))
client.get("/who")
client.get("/nothing")
"""
SIGN_IN = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "shop.bare"
sys.path.insert(0, ".")
import django
django.setup()
from django.test import Client
Client().post("/in")
"""
TIMEOUT_S = 60

Manage = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project's folder, with a database and a trail in which somebody has been."""
    folder = tmp_path_factory.mktemp("site")
    package = folder / "shop"
    (package / "secret").mkdir(parents=True)
    for name, text in (("__init__", ""), ("settings", SETTINGS), ("urls", URLS)):
        (package / f"{name}.py").write_text(text)
    (package / "policy.toml").write_text('[review]\nprivileged_roles = ["superuser"]\n')
    (folder / "manage.py").write_text(MANAGE)
    for arguments in (("migrate", "-v0"), ("shell", "-v0", "-c", VISIT)):
        done = manage_in(folder)(*arguments)
        assert done.returncode == 0, done.stderr
    return folder


def manage_in(folder: Path) -> Manage:
    environ = {name: value for name, value in os.environ.items() if "FLOWAUDIT" not in name}

    def manage(*arguments: str, program: tuple[str, ...] = ("manage.py",)) -> Any:
        return subprocess.run(
            [sys.executable, *program, *arguments],
            cwd=folder,
            env=environ,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )

    return manage


@pytest.fixture
def manage(shop: Path) -> Manage:
    return manage_in(shop)


def sources(shop: Path) -> int:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(shop / "shop" / "t.db")) as db:
        rows = db.execute("SELECT core FROM event").fetchall()
    events = [json.loads(core) for (core,) in rows]
    return sum((event["kind"], event.get("action")) == ("process", "start") for event in events)


def test_verify_reads_the_projects_trail_and_captures_nothing(shop: Path, manage: Manage) -> None:
    before = sources(shop)
    done = manage("flowaudit", "verify", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ok"] is True
    assert sources(shop) == before == 1
    assert list((shop / "shop" / "t.db.spool").iterdir()) == []


def test_journey_knows_people_by_the_projects_vault(manage: Manage) -> None:
    done = manage("flowaudit", "journey", "user:1")
    assert done.returncode == 0, done.stderr
    assert "/who" in done.stdout
    assert "user:1" in done.stdout


def test_review_goes_by_the_projects_policy(shop: Path, manage: Manage) -> None:
    policy = shop / "shop" / "policy.toml"
    good = policy.read_text()
    policy.write_text("[review]\nno_such_key = 1\n")
    try:
        done = manage("flowaudit", "review")
    finally:
        policy.write_text(good)
    assert done.returncode == 2
    assert "no_such_key" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["policy", "check", "GET", "/who"], "GET /who: no rule fits."),
        (["coverage", "shop.wsgi:application"], "2 routes, 2 error handlers; 4 probed: each left"),
    ],
    ids=["policy", "coverage"],
)
def test_a_command_that_reads_no_trail_runs_too(
    shop: Path, manage: Manage, arguments: list[str], says: str
) -> None:
    (shop / "shop" / "wsgi.py").write_text(
        "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n"
    )
    before = sources(shop)
    done = manage("flowaudit", *arguments)
    assert (done.returncode, done.stdout.startswith(says)) == (0, True), done
    assert sources(shop) == before


def test_another_trail_is_read_with_its_own_vault(shop: Path, manage: Manage) -> None:
    import flowaudit

    with_another = flowaudit.FlowAudit(trail=shop / "other.db")
    with with_another.job("night", actor="user:77"):
        pass
    with_another.close()
    done = manage("flowaudit", "journey", "user:77", "--trail", "other.db")
    assert "user:77" in done.stdout + done.stderr
    assert not (shop / "shop" / "secret" / "people.db").read_bytes().count(b"user:77")


def test_django_admin_and_its_own_options(shop: Path) -> None:
    done = manage_in(shop)(
        "flowaudit",
        "verify",
        "--settings=shop.settings",
        "--pythonpath",
        str(shop),
        program=("-m", "django"),
    )
    assert done.returncode == 0, done.stderr
    assert "The trail holds" in done.stdout


@pytest.mark.parametrize(
    "arguments", [("flowaudit", "--help"), ("help", "flowaudit")], ids=["option", "help"]
)
def test_help_is_the_commands_own(manage: Manage, arguments: tuple[str, ...]) -> None:
    done = manage(*arguments)
    assert done.returncode == 0
    assert "usage: flowaudit" in done.stdout
    assert "verify" in done.stdout


def test_a_mistake_is_one_line(shop: Path, manage: Manage) -> None:
    settings = shop / "shop" / "settings.py"
    good = settings.read_text()
    settings.write_text(good + 'FLOWAUDIT = {"tail": "t.db"}\n')
    try:
        told, checked, served = (
            manage(*arguments)
            for arguments in (
                ("flowaudit", "verify"),
                ("check",),
                ("shell", "-c", "import shop.urls"),
            )
        )
    finally:
        settings.write_text(good)
    assert told.returncode == 2
    assert told.stderr.startswith("flowaudit: setting 'tail'")
    assert "flowaudit.E001" in checked.stderr
    assert "Traceback" not in checked.stderr
    assert served.returncode == 0  # other commands go on


def test_a_command_outside_requests_records_what_it_changes(shop: Path, manage: Manage) -> None:
    done = manage(
        "shell", "-c", "from django.contrib.auth.models import User as U; U.objects.get().delete()"
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    found = verify_trail(TrailPaths.of(shop / "shop" / "t.db"))
    assert found.ok, found.problems
    listed = manage("flowaudit", "verify")
    assert "none changed" in listed.stdout


def test_the_middleware_listens_without_the_app(shop: Path, manage: Manage) -> None:
    bare = SETTINGS.replace(', "flowaudit_django"]', "]").replace('"t.db"', '"bare.db"')
    assert bare.count("flowaudit_django") == 1
    (shop / "shop" / "bare.py").write_text(bare.replace("secret", ""))
    (shop / "shop" / "in.py").write_text(SIGN_IN)
    done = manage("shop/in.py", program=())
    assert done.returncode == 0, done.stderr
    with TrailReader(shop / "shop" / "bare.db") as reader:
        kinds = [flat_event(entry)["kind"] for entry in reader.entries()]
    assert kinds.count("auth") == 1
    assert kinds.count("request") == 1


def test_call_command_gives_output_and_status(audit: Any) -> None:
    from django.core.management import call_command

    with audit.job("night"):
        pass
    audit.flush()
    out = io.StringIO()
    call_command("flowaudit", "verify", "--format", "json", stdout=out)
    assert json.loads(out.getvalue())["ok"] is True
    with pytest.raises(SystemExit) as stopped:
        call_command("flowaudit", "journey", "nobody", stderr=io.StringIO())
    assert stopped.value.code == 2
    assert not [name for name in os.environ if name.startswith("FLOWAUDIT_")]
