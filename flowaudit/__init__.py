"""flowaudit: one tamper-evident log of user flows for product, security and audit.

The front door: `FlowAudit` wraps an app; the functions say, inside a request, what only the app
knows. `docs/tutorial.md` starts from here.
"""

from ._version import __version__
from .capture.audit import FlowAudit
from .capture.context import (
    deny,
    hide,
    identify,
    login,
    login_failed,
    logout,
    note,
    record,
    resource,
    step,
)
from .capture.facts import Actor
from .errors import FlowauditError

__all__ = [
    "Actor",
    "FlowAudit",
    "FlowauditError",
    "__version__",
    "deny",
    "hide",
    "identify",
    "login",
    "login_failed",
    "logout",
    "note",
    "record",
    "resource",
    "step",
]
