"""All that holds of the WSGI wrapper holds while bodies are looked at."""

from collections.abc import Callable
from pathlib import Path

import pytest

from flowaudit import FlowAudit

from .payload_policy import EVERYTHING, policy_file
from .test_wsgi import *  # noqa: F403
from .test_wsgi_answers import *  # noqa: F403
from .test_wsgi_files import *  # noqa: F403


@pytest.fixture
def audit(make_audit: Callable[..., FlowAudit], tmp_path: Path) -> FlowAudit:
    return make_audit(policy=policy_file(tmp_path, EVERYTHING))
