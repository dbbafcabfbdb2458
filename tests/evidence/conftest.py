"""The stand-alone verifier as a module, for tests that hold it against the other one."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from flowaudit import evidence


@pytest.fixture(scope="session")
def alone() -> ModuleType:
    place = Path(str(evidence.__file__)).with_name("templates") / "verify_pack.py"
    spec = importlib.util.spec_from_file_location("verify_pack_alone", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
