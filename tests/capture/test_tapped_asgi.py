"""All that holds of the ASGI wrapper holds while bodies are looked at."""

from collections.abc import Callable
from pathlib import Path

import pytest

from flowaudit import FlowAudit

from .payload_policy import EVERYTHING, policy_file
from .test_asgi import *  # noqa: F403
from .test_asgi_answers import *  # noqa: F403
from .test_asgi_life import *  # noqa: F403
from .test_asgi_talks import *  # noqa: F403

del test_a_request_gives_one_event_with_both_parts  # noqa: F821  (its event has `data` now)


@pytest.fixture
def audit(make_audit: Callable[..., FlowAudit], tmp_path: Path) -> FlowAudit:
    return make_audit(policy=policy_file(tmp_path, EVERYTHING))
