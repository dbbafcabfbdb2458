"""The app config: signals, and checks of the project's settings."""

from django.apps import AppConfig

__all__ = ["FlowAuditConfig"]


class FlowAuditConfig(AppConfig):
    """flowaudit as an installed app."""

    name = "flowaudit_django"
    verbose_name = "flowaudit"
    default = True

    def ready(self) -> None:
        """Listen to the signals of Django and of the apps that the project has installed.

        Opens nothing and raises nothing: a wrong setting is what `manage.py check` tells, and
        what the middleware raises when a server loads it.
        """
        from . import checks
        from .signals import connect

        checks.register()
        connect()
