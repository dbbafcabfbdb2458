"""Small projects on disk, and the command run on them as people run it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ADAPTERS = str(Path(__file__).parents[2] / "adapters")


class Ran(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def found(self) -> dict[str, Any]:
        return json.loads(self.out)

    def named(self, result: str) -> set[str]:
        return {
            f"{each['kind']} {each['path']}"
            for each in self.found["endpoints"]
            if each["result"] == result
        }


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., Path]:
    """A folder with the given files in it."""

    def make(**files: str) -> Path:
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/")
            path = path.with_suffix(".toml" if name == "flowaudit" else ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        return tmp_path

    return make


@pytest.fixture
def coverage(tmp_path: Path) -> Callable[..., Ran]:
    """`flowaudit coverage` in a process of its own, in the project's folder."""

    def run(*args: str, fmt: str = "json") -> Ran:
        done = subprocess.run(
            [
                sys.executable,
                "-B",
                "-W",
                "error",
                "-m",
                "flowaudit",
                "coverage",
                *args,
                "--format",
                fmt,
            ],
            cwd=tmp_path,
            env={"PATH": "", "PYTHONPATH": ADAPTERS, "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=90,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return run
