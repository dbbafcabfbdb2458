"""flowaudit for Flask: ``FlowAuditFlask(app, audit=audit)``, or `init_app` later."""

from .middleware import FlowAuditFlask

__all__ = ["FlowAuditFlask"]
