"""flowaudit for Celery: ``FlowAuditCelery(app, audit=audit)``, where tasks are sent and run."""

from .signals import FlowAuditCelery

__all__ = ["FlowAuditCelery"]
