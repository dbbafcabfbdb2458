"""flowaudit for FastAPI and Starlette.

``app.add_middleware(flowaudit_fastapi.FlowAuditMiddleware, audit=audit)``, added last so that it
stands outside all others; ``Depends(identified(get_current_user))`` tells who FastAPI let in.
"""

from flowaudit import Actor

from .dependency import identified
from .middleware import FlowAuditMiddleware

__all__ = ["Actor", "FlowAuditMiddleware", "identified"]
