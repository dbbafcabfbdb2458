"""Forks while other threads work: what a child would wait for, and nobody ends in it."""

import subprocess
import sys
import textwrap
from pathlib import Path

from tests.trail.stores import as_setting

LATE_IMPORTS = """
    import sys
    from pathlib import Path
    from flowaudit.event import Core, Personal
    from flowaudit.trail.paths import TrailPaths
    from flowaudit.recording.recorder import Recorder

    recorder = Recorder(
        TrailPaths.of(sys.argv[1]), process_facts={}, clock_us=lambda: 1, queue_size=1_000,
        group_ms=1, emit="whole", witnesses=[sys.argv[2], "http://localhost:9/"],
    )
    before = {*sys.modules}
    recorder.append(Core(ts=1, kind="request", status=200), Personal(path="/"))
    assert recorder.flush()
    recorder.close()
    Path(sys.argv[3]).write_text(" ".join({*sys.modules} - before))
"""


def test_no_module_is_imported_once_the_recorder_stands(trail: Path, tmp_path: Path) -> None:
    """A child that is born during an import can never import that module."""
    (tmp_path / "witness").mkdir()
    told = tmp_path / "told"
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(LATE_IMPORTS), as_setting(trail),
         tmp_path / "witness", told],
        check=True, timeout=60, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    assert told.read_text().split() == []
