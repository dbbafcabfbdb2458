"""Forks while other threads work: what a child would wait for, and nobody ends in it."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

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


SAY = """
    import os, signal, sys, threading
    from flowaudit.event import Core, encode_core
    from flowaudit.oplog import OPLOG
    from flowaudit.recording.emission import Emission

    emission = Emission("core")
    record = encode_core(Core(v=1, source="s" * 26, n=1, ts=1, kind="note")), b""
    say = {"emit": lambda: emission.emit(0, [record]), "log": lambda: OPLOG.error("x")}[sys.argv[1]]

    def go_on():
        while True:
            say()

    threading.Thread(target=go_on, daemon=True).start()
    for _ in range(30):
        child = os.fork()
        if child == 0:
            signal.alarm(10)
            say()
            os._exit(0)
        if os.waitpid(child, 0)[1] != 0:
            os._exit(1)
    os._exit(0)
"""


@pytest.mark.parametrize("what", ["emit", "log"])
def test_a_child_born_while_a_line_is_written_writes_its_own(what: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SAY), what],
        check=False,
        timeout=60,
        stdout=subprocess.DEVNULL,
    )
    assert done.returncode == 0
