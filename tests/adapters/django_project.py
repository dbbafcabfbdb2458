"""A Django project for the tests: configured once, its audit replaced by each test's own."""

from functools import cache
from importlib.util import find_spec
from typing import Any

from flowaudit import FlowAudit

OPTIONAL_APPS = ("rest_framework", "rest_framework.authtoken", "hijack", "impersonate", "axes")

MIDDLEWARE = [
    "flowaudit_django.FlowAuditMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]


@cache
def configure() -> None:
    """Configure Django with a database, sessions, django.contrib.auth, and what else is there."""
    import tempfile

    import django
    from django.conf import settings

    folder = tempfile.mkdtemp()
    settings.configure(
        SECRET_KEY="only for tests",
        ALLOWED_HOSTS=["testserver", "127.0.0.1"],
        ROOT_URLCONF=__name__,
        LOGIN_URL="/login",
        LOGGING_CONFIG=None,
        USE_TZ=True,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{folder}/d.db"}},
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        AXES_ENABLED=False,
        SILENCED_SYSTEM_CHECKS=["axes.W001", "axes.W002", "axes.W003"],
        INSTALLED_APPS=[
            "django.contrib.admin",
            "django.contrib.messages",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            *(name for name in OPTIONAL_APPS if find_spec(name.partition(".")[0])),
            "flowaudit_django",
        ],
        MIDDLEWARE=MIDDLEWARE,
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
        STATIC_URL="/static/",
        FLOWAUDIT={"trail": f"{folder}/unused.db"},
    )
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def fresh_audit(audit: FlowAudit) -> None:
    """Let the middleware use this audit from now on."""
    from django.conf import settings

    from flowaudit_django import get_audit

    get_audit.cache_clear()
    settings.FLOWAUDIT = audit


def __getattr__(name: str) -> Any:
    if name == "urlpatterns":
        from .conformance.build_django import django_urls

        return django_urls()
    raise AttributeError(name)
