"""The tests' Django site, its people, and browsers for it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("django")

from flowaudit import FlowAudit

from ..django_project import configure, fresh_audit
from .browser import KINDS, Browser


@pytest.fixture(scope="session")
def project() -> None:
    """The configured project, with amy, bea (staff) and root in its database, by no signal."""
    configure()
    from django.contrib.auth.hashers import make_password
    from django.contrib.auth.models import User

    password = make_password("pw")
    User.objects.bulk_create(
        [
            User(username="amy", email="amy@site.example", password=password),
            User(username="bea", password=password, is_staff=True),
            User(username="root", password=password, is_staff=True, is_superuser=True),
        ]
    )


@pytest.fixture
def audit(project: None, make_audit: Callable[..., FlowAudit]) -> Iterator[FlowAudit]:
    """An audit that the project uses; the site's own URLs and settings."""
    from django.core.cache import cache
    from django.db import connections
    from django.test import override_settings

    audit = make_audit()
    fresh_audit(audit)
    cache.clear()
    with override_settings(ROOT_URLCONF=f"{__package__}.site", LOGIN_URL="login"):
        yield audit
    assert audit.counters == {"lost": 0, "commit_failed": 0, "capture_failed": 0}
    connections.close_all()


@pytest.fixture(params=KINDS)
def open_browser(audit: FlowAudit, request: pytest.FixtureRequest) -> Callable[[], Browser]:
    """Opens a browser on the site as the settings are at that moment."""
    return lambda: Browser(audit, request.param)


@pytest.fixture
def browser(open_browser: Callable[[], Browser]) -> Browser:
    return open_browser()


@pytest.fixture
def key_of(project: None) -> Callable[[str], Any]:
    """The primary key of a user."""
    from django.contrib.auth.models import User

    return lambda name: User.objects.values_list("pk", flat=True).get(username=name)
