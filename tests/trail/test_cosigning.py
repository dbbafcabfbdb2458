"""A trail that is a witness of another: it cosigns growth, and nothing else."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowaudit.cli import main
from flowaudit.errors import TrailError
from flowaudit.event import Core, encode_core
from flowaudit.proofs.note import VerifierKey
from flowaudit.trail.keys import load_verifier_key
from flowaudit.trail.paths import TrailPaths
from flowaudit.trail.reader import TrailReader
from flowaudit.trail.sqlite import Trail
from flowaudit.verification.trail import verify_trail
from flowaudit.witnesses.cosigning import cosign
from flowaudit.witnesses.publishing import Publisher, kept_in


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """A file: what is published is the same whatever keeps the trail."""
    return tmp_path / "t.db"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "shared"
    made.mkdir()
    return made


@pytest.fixture
def ours(tmp_path: Path) -> TrailPaths:
    """The trail of the party that cosigns."""
    paths = TrailPaths.of(tmp_path / "ours.db")
    grow(paths.trail, 1, 3)
    return paths


def grow(trail: Any, first: int, count: int, *, ts: int = 1, folder: Path | None = None) -> None:
    records = [
        (encode_core(Core(v=1, source="s" * 26, n=n, ts=ts, kind="note")), b"")
        for n in range(first, first + count)
    ]
    with Trail(trail) as writer:
        writer.append(records, "s" * 26, first + count - 1)
        writer.checkpoint()
        if folder is not None:
            publisher = Publisher([str(folder)])
            publisher.publish(writer.origin, writer.signed, now=True, prove=writer.consistency)


def key_of(trail: Path) -> VerifierKey:
    key = load_verifier_key(TrailPaths.of(trail))
    assert key is not None
    return key


def cosigner(ours: TrailPaths) -> VerifierKey:
    return VerifierKey.parse((ours.cosigned / "cosigner.pub").read_text("utf-8"))


def told(ours: TrailPaths) -> list[Any]:
    with TrailReader(ours.trail) as reader:
        cores = [json.loads(entry.core) for entry in reader.entries()]
    return [(c["outcome"], c["facts"]) for c in cores if c.get("action") == "cosign"]


def test_what_only_grew_is_cosigned_each_time_and_counts_as_a_witness(
    trail: Path, folder: Path, ours: TrailPaths
) -> None:
    sizes = []
    for first in (1, 300, 301, 900):
        grow(trail, first, {1: 299, 300: 1, 301: 599, 900: 5}[first], folder=folder)
        done = cosign(folder, ours, (key_of(trail),))
        assert done.problem is None
        sizes.append(done.size)
    assert sizes == [299, 300, 899, 904]
    assert [facts["cosigned"]["size"] for _, facts in told(ours)] == sizes
    key = cosigner(ours)
    found = verify_trail(trail, witnessed=[kept_in(folder)], cosigners=[key])
    assert found.ok, found.problems
    assert {(each.kind, each.size) for each in found.agreeing} == {
        ("folder", 904),
        ("cosigner", 904),
    }
    assert all(each.at > 1_700_000_000 for each in found.agreeing if each.kind == "cosigner")
    # without its key nobody's word counts but the folder's
    assert verify_trail(trail, witnessed=[kept_in(folder)]).witnesses == 1


def test_several_checkpoints_at_once_are_proved_one_by_one(
    trail: Path, folder: Path, ours: TrailPaths
) -> None:
    grow(trail, 1, 10, folder=folder)
    assert cosign(folder, ours, (key_of(trail),)).size == 10
    for first in (11, 300, 700):
        grow(trail, first, {11: 289, 300: 400, 700: 1}[first], folder=folder)
    assert cosign(folder, ours, (key_of(trail),)).size == 700
    assert cosign(folder, ours, (key_of(trail),)).size == 700  # nothing new
    assert len(told(ours)) == 2


def test_a_name_that_claims_a_size_beyond_the_trail_ends_no_proofs(
    trail: Path, folder: Path, ours: TrailPaths
) -> None:
    grow(trail, 1, 10, folder=folder)
    [proof] = folder.rglob("*.consistency")
    for size in (11, 10**19):
        proof.with_name(f"{size:020}.consistency").write_text("old 0\n")
    grow(trail, 11, 10, folder=folder)
    proof.with_name(f"{10**19:020}.consistency").unlink()
    proof.with_name(f"{11:020}.consistency").unlink()
    assert len(list(folder.rglob("*.consistency"))) == 2


def test_a_trail_that_was_rolled_back_and_grew_anew_is_not_cosigned(
    trail: Path, folder: Path, ours: TrailPaths, tmp_path: Path
) -> None:
    grow(trail, 1, 100, folder=folder)
    backup = tmp_path / "backup"
    backup.mkdir()
    for path in trail.parent.glob("t.db*"):
        if path.is_file():
            shutil.copy(path, backup)
    grow(trail, 101, 50, folder=folder)
    assert cosign(folder, ours, (key_of(trail),)).size == 150
    for path in trail.parent.glob("t.db*"):
        if path.is_file():
            path.unlink()
    for path in backup.iterdir():
        shutil.copy(path, trail.parent)
    grow(trail, 101, 100, ts=99, folder=folder)
    done = cosign(folder, ours, (key_of(trail),))
    assert done.problem is not None
    assert "another history" in done.problem
    assert done.size == 150
    assert told(ours)[-1][0] == "error"
    assert len(list(folder.rglob("*.cosigned"))) == 1


def test_another_checkpoint_of_the_same_size_is_a_fork(
    trail: Path, folder: Path, ours: TrailPaths, tmp_path: Path
) -> None:
    grow(trail, 1, 10, folder=folder)
    assert cosign(folder, ours, (key_of(trail),)).size == 10
    state = next(ours.cosigned.glob("*.checkpoint"))
    published = next(folder.rglob("*.checkpoint"))
    other = tmp_path / "fork" / "t.db"
    other.parent.mkdir()
    shutil.copy(TrailPaths.of(trail).key, TrailPaths.of(other).key)
    grow(other, 1, 10, ts=5)
    with TrailReader(trail) as reader:
        identifier = reader.origin.rpartition("/")[2]
    import sqlite3

    with sqlite3.connect(other) as db:
        db.execute("UPDATE trail SET id = ?", (identifier,))
        db.execute("DELETE FROM checkpoint")
    db.close()
    with Trail(other) as writer:
        writer.checkpoint()
    with TrailReader(other) as reader:
        note = reader.newest_checkpoint()
    assert note is not None
    published.unlink()
    published.write_text(note, "utf-8")
    done = cosign(folder, ours, (key_of(trail),))
    assert done.problem is not None
    assert "another checkpoint was cosigned before" in done.problem
    assert state.exists()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: text.replace("old 10", "old 11"), "no proof leads"),
        (lambda text: text.replace("\n\n", "\nAAAA\n\n", 1), "another history"),
        (lambda text: "junk", "no proof of growth"),
        (lambda text: text.replace("\n15\n", "\n16\n"), "not signed"),
    ],
    ids=["another old size", "a hash too many", "junk", "another size"],
)
def test_a_forged_proof_leads_nowhere(
    trail: Path, folder: Path, ours: TrailPaths, change: Callable[[str], str], says: str
) -> None:
    grow(trail, 1, 10, folder=folder)
    assert cosign(folder, ours, (key_of(trail),)).size == 10
    grow(trail, 11, 5, folder=folder)
    path = max(folder.rglob("*.consistency"))
    path.write_text(change(path.read_text("utf-8")), "utf-8")
    done = cosign(folder, ours, (key_of(trail),))
    assert done.size == 10
    assert says in (done.problem or "")


def test_the_operators_own_key_is_no_cosigner(trail: Path, folder: Path, ours: TrailPaths) -> None:
    grow(trail, 1, 10, folder=folder)
    ours.cosigned.mkdir()
    shutil.copy(TrailPaths.of(trail).key, ours.cosigned / "cosigner.key")
    cosign(folder, ours, (key_of(trail),))
    found = verify_trail(trail, witnessed=[kept_in(folder)], cosigners=[cosigner(ours)])
    assert [each.kind for each in found.agreeing] == ["folder"]


def test_a_folder_without_anything_of_it_is_said(
    trail: Path, folder: Path, ours: TrailPaths
) -> None:
    grow(trail, 1, 1)
    with pytest.raises(TrailError, match="has nothing of"):
        cosign(folder, ours, (key_of(trail),))


def test_the_command(
    trail: Path, folder: Path, ours: TrailPaths, capsys: pytest.CaptureFixture[str]
) -> None:
    grow(trail, 1, 10, folder=folder)
    public = str(TrailPaths.of(trail).public_key)
    argv = ["cosign", str(folder), "--trail", str(ours.trail), "--key", public]
    assert main(argv) == 0
    assert "10 entries (0 before)" in capsys.readouterr().out
    assert main(argv) == 0
    assert "Nothing new" in capsys.readouterr().out
    verify = ["verify", "--trail", str(trail), "--against", str(folder)]
    assert main([*verify, "--cosigner", str(ours.cosigned / "cosigner.pub")]) == 0
    said = capsys.readouterr().out
    assert "2 witnesses" in said
    assert "cosigned by flowaudit/" in said
    path = next(folder.rglob("*.consistency"))
    path.write_text("junk", "utf-8")
    assert main(argv) == 1
    assert "NOT cosigned" in capsys.readouterr().out
    assert main([*argv, "--key", str(TrailPaths.of(ours.trail).public_key)]) == 2
    assert verify_trail(ours.trail).ok


def test_a_checkpoint_without_a_proof_is_passed_over_by_the_next(
    trail: Path, folder: Path, ours: TrailPaths
) -> None:
    grow(trail, 1, 10, folder=folder)
    assert cosign(folder, ours, (key_of(trail),)).size == 10
    with Trail(trail) as writer:
        publisher = Publisher([str(folder)])

        def busy(old: int, size: int) -> list[bytes]:
            raise TrailError("busy")

        writer.append([(encode_core(Core(v=1, source="s" * 26, n=11, ts=1, kind="note")), b"")],
                      "s" * 26, 11)  # fmt: skip
        writer.checkpoint()
        publisher.publish(writer.origin, writer.signed, now=True, prove=busy)
        done = cosign(folder, ours, (key_of(trail),))
        assert (done.size, done.problem) == (10, "no proof leads from size 10 to 11")
    grow(trail, 12, 5, folder=folder)
    done = cosign(folder, ours, (key_of(trail),))
    assert (done.size, done.problem) == (16, None)


@pytest.mark.parametrize("is_revoked", [False, True], ids=["retired", "revoked"])
def test_a_key_whose_turn_is_over_neither_speaks_nor_accuses(
    trail: Path, folder: Path, ours: TrailPaths, tmp_path: Path, is_revoked: bool
) -> None:
    """A thief with the old key and an old copy goes on writing, and publishes beside the trail."""
    grow(trail, 1, 10, folder=folder)
    old = key_of(trail)
    thief = tmp_path / "thief"
    thief.mkdir()
    for path in trail.parent.glob("t.db*"):
        if path.is_file():
            shutil.copy(path, thief)
    with Trail(trail) as writer:
        writer.replace_key(is_revoked=is_revoked, why="stolen")
    grow(trail, 11, 5, folder=folder)
    keys = (key_of(trail), old)
    size = cosign(folder, ours, keys).size
    assert size > 15
    grow(thief / "t.db", 11, 90, ts=7, folder=folder)
    for first in (True, False):
        done = cosign(folder, ours if first else TrailPaths.of(tmp_path / "late.db"), keys)
        assert (done.size, done.problem) == (size, None)


def test_a_replaced_key_is_followed_while_both_are_given(
    trail: Path, folder: Path, ours: TrailPaths
) -> None:
    grow(trail, 1, 10, folder=folder)
    keys = [key_of(trail)]
    for time in range(1, 4):
        with Trail(trail) as writer:
            writer.replace_key()
        keys.append(key_of(trail))
        grow(trail, 10 * time + 1, 10, folder=folder)
        done = cosign(folder, ours, tuple(keys))
        assert (done.problem, done.size > 10 * time) == (None, True)


def test_lines_of_others_do_not_make_a_cosigned_note_too_long(
    trail: Path, folder: Path, ours: TrailPaths
) -> None:
    grow(trail, 1, 10, folder=folder)
    [request] = folder.rglob("*.consistency")
    request.write_text(request.read_text("utf-8") + "\u2014 somebody AAAA\n" * 99, "utf-8")
    assert cosign(folder, ours, (key_of(trail),)).problem is None
    found = verify_trail(trail, witnessed=[kept_in(folder)], cosigners=[cosigner(ours)])
    assert found.ok, found.problems
    assert found.witnesses == 2


def test_a_trail_is_no_witness_of_itself(trail: Path, folder: Path) -> None:
    grow(trail, 1, 3, folder=folder)
    with pytest.raises(TrailError, match="no witness of itself"):
        cosign(folder, TrailPaths.of(trail), (key_of(trail),))
    assert not TrailPaths.of(trail).cosigned.exists()
