"""What a hostile pack may cost or do: its time, its size, and what it writes on a screen."""

import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from flowaudit.cli import main
from flowaudit.event import Core, Entry, encode_core
from flowaudit.evidence import contents, opened
from flowaudit.evidence import pack as packing
from flowaudit.evidence.checks import PackCheck
from flowaudit.evidence.signed import MAX_STATEMENT_BYTES
from flowaudit.proofs import note, paths, tlog_proof
from flowaudit.trail.intervals import is_within, merged
from flowaudit.vault.base import MAX_IDENTITY

from .forging import NEW, ORIGIN, Forged, public, signed

MANY = 20_000


class Counted(int):
    """A number that counts how often it is compared."""

    compared = 0

    def __lt__(self, other: int) -> bool:
        Counted.compared += 1
        return int(self) < other

    def __le__(self, other: int) -> bool:
        Counted.compared += 1
        return int(self) <= other

    def __gt__(self, other: int) -> bool:
        Counted.compared += 1
        return int(self) > other


@pytest.fixture
def places() -> list[tuple[int, int]]:
    """Erasures of one entry each, with an entry between every two."""
    Counted.compared = 0
    return [(Counted(2 * n), Counted(2 * n)) for n in range(MANY)]


def test_many_erasures_are_matched_without_comparing_each_with_each(
    alone: ModuleType, places: list[tuple[int, int]]
) -> None:
    forged = Forged()
    files, sealed = forged.sealed(forged.files()), [*range(0, 2 * MANY, 2), 1]
    theirs = alone.Check(files, None, [])
    theirs.erased, theirs.erasures = [(n, ("t",)) for n in sealed], [(list(places), {"t"})]
    assert [problem["seq"] for problem in theirs.run()["problems"]] == [1]
    ours = PackCheck(files, None, (), ())
    core = b'{"actor":"t"}'
    for n in sealed:
        ours._erasures.see(n, core)
    pairs = [[int(first), int(last)] for first, last in places]
    ours._erasures.tell(10 * MANY, {"tokens": ["t"], "seqs": pairs})
    ours._erasures._told = [list(places)]
    assert [problem.seq for problem in ours.result().problems] == [1]
    assert Counted.compared < 60 * MANY


def test_the_writer_of_a_pack_finds_the_erasures_of_its_entries(
    places: list[tuple[int, int]],
) -> None:
    sealed = [first for first, _ in places]
    for seqs, covers in (([[2 * n + 1, 2 * n + 1] for n in range(1_000)], False), ([[5, 6]], True)):
        facts: Any = {"erases": {"seqs": seqs}}
        core = Core(v=1, source="s" * 26, n=1, ts=1, kind="ops", action="erase", facts=facts)
        assert packing._covers(Entry(seq=9, core=encode_core(core)), sealed) == covers
    assert Counted.compared < 60 * 1_000


def test_erasures_of_any_shape_cover_what_they_say(alone: ModuleType) -> None:
    shapes = [[], [(0, 3)], [(5, 3)], [(5, 3), (5, 9)], [(0, 9), (2, 4)], [(0, 1), (2, 3), (8, -1)]]
    for ranges in shapes:
        covered = [n for n in range(12) if any(first <= n <= last for first, last in ranges)]
        assert [n for n in range(12) if is_within(n, merged(ranges))] == covered
        left = alone.not_in(list(range(12)), ranges)
        assert [n for n in range(12) if n not in left] == covered


ACTING = "\u202e\x9b31m"
"""A turn of direction, and a colour by a control character of eight bits."""


def named(forged: Forged) -> dict[str, bytes]:
    """A pack of a trail and of a key whose names act on a screen."""
    files, name = forged.files(), ORIGIN + ACTING
    text = files["checkpoint"].decode().partition("\n\n")[0].replace(ORIGIN, name) + "\n"
    files["checkpoint"] = signed(text, name=name).encode()
    files["trail.pub"] = str(public(NEW, name)).encode()
    return forged.sealed(files)


@pytest.mark.parametrize("show", ["alone", "command"])
def test_a_trails_name_shows_and_does_not_act(
    alone: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], show: str
) -> None:
    pack = tmp_path / "case.zip"
    with zipfile.ZipFile(pack, "w") as file:
        for name, data in named(Forged()).items():
            file.writestr(name, data)
    assert (alone.main if show == "alone" else run)([str(pack)]) == 1
    said = capsys.readouterr().out
    assert said.count("\\u202e\\x9b31m") >= 2
    assert said.replace("\n", "").isprintable()


def run(argv: list[str]) -> int:
    return main(["verify", *argv])


def test_a_files_name_shows_and_does_not_act(
    alone: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert alone.main([str(tmp_path / "\x1b[31m\u202e.zip")]) == 2
    assert capsys.readouterr().err.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("limit", "value"), [("MAX_BYTES", 5_000), ("MAX_FILES", 5)], ids=["bytes", "files"]
)
def test_an_unpacked_pack_is_read_up_to_the_same_size(
    alone: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    forged = Forged()
    for name, data in forged.sealed(forged.files()).items():
        place = tmp_path / name
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(data)
    assert alone.main([str(tmp_path)]) == 0
    monkeypatch.setattr(alone, limit, value)
    assert alone.main([str(tmp_path)]) == 2


def test_both_have_the_same_limits(alone: ModuleType) -> None:
    assert alone.MAX_BYTES == opened.MAX_FILE_BYTES
    assert alone.MAX_FILES == opened.MAX_FILES
    assert alone.MAX_NOTE == note.MAX_NOTE_BYTES
    assert alone.MAX_SIGNATURES == note.MAX_SIGNATURES
    assert alone.MAX_LONG_NOTE == contents.MAX_MANIFEST == MAX_STATEMENT_BYTES
    assert alone.MAX_HASHES == paths.MAX_PROOF_HASHES
    assert alone.MAX_PROOF == tlog_proof.MAX_PROOF_BYTES
    assert alone.MAX_IDENTITY == MAX_IDENTITY
