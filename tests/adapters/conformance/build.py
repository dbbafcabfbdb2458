"""What every build is: an app under a client, and how its people are called."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flowaudit import FlowAudit

from .drivers import Client, asgi_client, wsgi_client

__all__ = ["ASGI_BUILDS", "BUILDS", "Build", "Make"]

BUILDS = ("starlette", "fastapi", "flask", "django-wsgi", "django-asgi", "raw-wsgi", "raw-asgi")
ASGI_BUILDS = ("starlette", "fastapi", "django-asgi", "raw-asgi")


@dataclass
class Build:
    """One framework's app, wrapped."""

    app: Any
    is_asgi: bool
    names: dict[str, str] = field(default_factory=dict)
    """What its people are called in the scenarios, by their identity."""

    close: Callable[[], None] = lambda: None
    """Ends what it changed outside itself."""

    @property
    def client(self) -> Client:
        """What sends calls into it."""
        return asgi_client(self.app) if self.is_asgi else wsgi_client(self.app)


Make = Callable[[FlowAudit], Build]
