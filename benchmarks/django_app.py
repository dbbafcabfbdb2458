"""CPU of a request to a small Django project, alone and under one audit package: for `frameworks`.

`python -m benchmarks.django_app VARIANT` prints µs a request. A process of its own for each, since
Django's settings are made once in a process.
"""

import io
import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

REQUESTS = 2_000
ROUNDS = 5
VARIANTS = ("bare", "flowaudit", "django-structlog", "django-easy-audit")


def configure(variant: str, folder: Path) -> None:
    import django
    from django.conf import settings

    apps, middleware = ["django.contrib.contenttypes", "django.contrib.auth"], []
    options: dict[str, Any] = {}
    if variant == "flowaudit":
        apps.append("flowaudit_django")
        middleware.append("flowaudit_django.FlowAuditMiddleware")
        options["FLOWAUDIT"] = {"trail": folder / "t.db", "service": "bench"}
    elif variant == "django-structlog":
        import structlog

        apps.append("django_structlog")
        middleware.append("django_structlog.middlewares.RequestMiddleware")
        structlog.configure(
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.add_log_level,
                structlog.processors.TimeStamper(fmt="iso"),
                structlog.processors.JSONRenderer(),
            ],
            logger_factory=structlog.stdlib.LoggerFactory(),
            cache_logger_on_first_use=True,
        )
        logger = logging.getLogger("django_structlog")
        logger.setLevel(logging.INFO)
        logger.propagate = False
        logger.handlers = [logging.FileHandler("/dev/null")]
    elif variant == "django-easy-audit":
        apps += ["django.contrib.sessions", "easyaudit"]
        middleware.append("easyaudit.middleware.easyaudit.EasyAuditMiddleware")
    settings.configure(
        SECRET_KEY="bench",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        LOGGING_CONFIG=None,
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": folder / "app.db",
                "OPTIONS": {"init_command": "PRAGMA journal_mode = WAL"},
            }
        },
        INSTALLED_APPS=apps,
        MIDDLEWARE=middleware,
        **options,
    )
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def __getattr__(name: str) -> Any:
    if name != "urlpatterns":
        raise AttributeError(name)
    from django.http import HttpResponse
    from django.urls import path

    def slots(request: Any, number: int) -> Any:
        return HttpResponse("ok")

    return [path("doctors/<int:number>/slots", slots)]


def environ(i: int) -> dict[str, Any]:
    from .capture import environ as plain

    return {
        **plain(i),
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
        "wsgi.version": (1, 0),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


def measure(variant: str) -> float:
    with tempfile.TemporaryDirectory() as name:
        configure(variant, Path(name))
        from django.core.handlers.wsgi import WSGIHandler

        app = WSGIHandler()
        audit = None
        if variant == "flowaudit":
            from flowaudit_django import get_audit

            audit = get_audit()
        best = float("inf")
        environs = [environ(i) for i in range(100)]
        for _ in range(ROUNDS):
            start = time.process_time()
            for i in range(REQUESTS):
                answer = app(environs[i % 100].copy(), lambda status, headers, exc_info=None: None)
                for _block in answer:
                    pass
                answer.close()
            if audit is not None:
                assert audit.flush()
            best = min(best, (time.process_time() - start) / REQUESTS * 1e6)
        if audit is not None:
            assert audit.counters["lost"] == 0, "events were lost: the figures are void"
            audit.close()
    return best


if __name__ == "__main__":
    print(measure(sys.argv[1]))
