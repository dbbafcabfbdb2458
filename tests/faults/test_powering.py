"""Power cuts, replayed from what was written and synced; ten times as many in the soak."""

import os
import random
import shutil
from pathlib import Path

import pytest

from faults import powering
from faults.disk import Disk, Step, read_log
from faults.figures import table

SCALE = 1.0 if os.environ.get("FLOWAUDIT_SOAK") else 0.1


@pytest.fixture
def strace() -> str:
    found = shutil.which("strace")
    if found is None:
        message = "no strace on PATH: no power cut was replayed"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


@pytest.mark.timeout(1_800 if SCALE == 1.0 else 180)
def test_a_power_cut_takes_nothing_that_was_promised(strace: str) -> None:
    figures = powering.run(SCALE)
    assert all(figure.ok for figure in figures), table(figures)


def left(steps: list[Step], share: float) -> dict[str, bytes]:
    disk = Disk()
    for step in steps:
        disk.take(step)
    return dict(disk.cut(random.Random(1), share))


def test_the_disk_keeps_what_was_synced_and_forgets_the_rest() -> None:
    """Else the replay would prove nothing."""
    steps = [
        Step("create", "/f", ended=1),
        Step("write", "/f", at=0, data=b"abc", ended=2),
        Step("sync", "/f", ended=4),
        Step("write", "/f", at=1, data=b"XY", ended=4),
        Step("sync", "/", ended=5),
        Step("create", "/g", ended=6),
    ]
    assert left(steps, 0.0) == {"/f": b"abc"}
    assert left(steps, 1.0) == {"/f": b"aXY", "/g": b""}
    assert left(steps[:4], 0.0) == {}
    assert left(steps[:3], 1.0) == {"/f": b"abc"}


def test_a_rename_that_was_not_synced_may_be_undone() -> None:
    steps = [
        Step("create", "/f.new", ended=1),
        Step("append", "/f.new", data=b"key", ended=2),
        Step("sync", "/f.new", ended=3),
        Step("rename", "/f.new", "/f", ended=4),
    ]
    assert left(steps, 0.0) == {}
    assert left(steps, 1.0) == {"/f": b"key"}
    assert left([*steps, Step("sync", "/", ended=5), Step("mkdir", "/d")], 0.0) == {"/f": b"key"}


def test_calls_that_end_later_than_others_are_put_together(tmp_path: Path) -> None:
    path = "".join(f"\\x{byte:02x}" for byte in f"{tmp_path}/a".encode())
    (tmp_path / "log").write_text(
        f'7 openat(AT_FDCWD</>, "{path}", O_RDWR|O_CREAT, 0600) = 3<{path}>\n'
        f'7 pwrite64(3<{path}>, "\\x41\\x42", 2, 5 <unfinished ...>\n'
        f'8 write(1<pipe:[1]>, "\\x68\\x69\\x0a", 3) = 3\n'
        "7 <... pwrite64 resumed>)           = 2\n"
        f"7 fdatasync(3<{path}>) = 0\n"
        f"7 ftruncate(3<{path}>, 4) = -1 EINVAL (Invalid argument)\n"
    )
    found = read_log(tmp_path / "log", tmp_path)
    assert [(step.kind, step.at, step.data) for step in found] == [
        ("create", 0, b""),
        ("write", 5, b"AB"),
        ("said", 0, b"hi\n"),
        ("sync", 0, b""),
        ("nothing", 0, b""),
    ]
