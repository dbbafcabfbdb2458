"""flowaudit for Django.

``"flowaudit_django"`` in `INSTALLED_APPS`, ``"flowaudit_django.FlowAuditMiddleware"`` first in
`MIDDLEWARE`, and ``FLOWAUDIT = {...}`` (the settings of `FlowAudit`) in the project's settings.
"""

from .middleware import FlowAuditMiddleware
from .project import get_audit

__all__ = ["FlowAuditMiddleware", "get_audit"]
