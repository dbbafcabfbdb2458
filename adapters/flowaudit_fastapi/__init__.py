"""flowaudit for FastAPI and Starlette.

``app.add_middleware(flowaudit_fastapi.FlowAuditMiddleware, audit=audit)``, added last so that it
stands outside all others.
"""

from .middleware import FlowAuditMiddleware

__all__ = ["FlowAuditMiddleware"]
