"""flowaudit for Flask: ``FlowAuditFlask(app, audit=audit)``, or `init_app` later."""

from flowaudit import Actor

from .middleware import FlowAuditFlask

__all__ = ["Actor", "FlowAuditFlask"]
