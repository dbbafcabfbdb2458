"""The app config: listens to the signals of django.contrib.auth."""

from django.apps import AppConfig

__all__ = ["FlowAuditConfig"]


class FlowAuditConfig(AppConfig):
    """flowaudit as an installed app."""

    name = "flowaudit_django"
    verbose_name = "flowaudit"
    default = True

    def ready(self) -> None:
        """Connect the signals, and make the trail's settings fail now if they are wrong."""
        from .middleware import get_audit
        from .signals import connect

        get_audit()
        connect()
