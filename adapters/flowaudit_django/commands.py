"""A base for management commands whose runs are events."""

from typing import Any

from django.core.management.base import BaseCommand

from .project import get_audit

__all__ = ["AuditedCommand"]


class AuditedCommand(BaseCommand):
    """A management command that runs as a job: `class Command(AuditedCommand)`.

    Its run is one event, `job:command NAME`, with what it says by `flowaudit.resource()` and its
    like; and whatever it raises is named there. Django's own checks and options are as ever.
    """

    actor: str | None = "service:manage"
    """Who it is done for; a command that knows better sets another, or calls `identify()`."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run it, as a job."""
        name = type(self).__module__.rpartition(".")[2]
        audit = get_audit()
        with audit.job(f"command {name}", actor=self.actor):
            output: str | None = super().execute(*args, **options)
        audit.flush()
        return output
