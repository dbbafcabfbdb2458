"""Verification that begins where the last one ended."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowaudit.cli import main
from flowaudit.event import Core, Personal, encode_core, encode_personal
from flowaudit.proofs.checkpoint import Checkpoint
from flowaudit.trail.keys import load_verifier_key
from flowaudit.trail.opening import open_reader, open_trail
from flowaudit.trail.paths import TrailPaths
from flowaudit.verification.found import LastTime, Verification
from flowaudit.verification.trail import verify_trail

Sql = Callable[..., list[tuple[Any, ...]]]


def grow(trail: Path, source: str, first: int, count: int) -> None:
    records = [
        (
            encode_core(Core(v=1, source=source * 26, n=n, ts=n, kind="note")),
            encode_personal(Personal(path=f"/{n}")),
        )
        for n in range(first, first + count)
    ]
    with open_trail(trail) as writer:
        writer.append(records, source * 26, first + count - 1)


def newest(trail: Path) -> Checkpoint:
    with open_reader(trail) as reader:
        note = reader.newest_checkpoint()
    assert note is not None
    return Checkpoint.parse(note)


def again(trail: Path, since: Checkpoint) -> Verification:
    return verify_trail(trail, since=LastTime(since))


@pytest.mark.parametrize(
    ("before", "after"), [(1, 1), (300, 0), (300, 300), (256, 256), (255, 2)], ids=str
)
def test_what_came_since_is_verified_and_what_was_before_only_by_its_hashes(
    trail: Path, sql: Sql, before: int, after: int
) -> None:
    grow(trail, "s", 1, before)
    since = newest(trail)
    if after:
        grow(trail, "s", before + 1, after)
    grow(trail, "t", 1, 3)
    found = again(trail, since)
    assert found.ok, found.problems
    assert (found.size, found.since) == (before + after + 3, before)
    assert found.checkpoint == str(newest(trail).note)
    # a row from before is not read again; one from after is
    sql("UPDATE event SET core = replace(core, 'note', 'nope') WHERE seq = 0")
    assert again(trail, since).ok
    sql("UPDATE event SET core = replace(core, 'note', 'nope') WHERE seq = ?", before)
    assert [problem.seq for problem in again(trail, since).problems] == [before]
    assert not verify_trail(trail).ok


def test_a_hole_after_the_last_time_is_found_and_none_before_is_guessed(trail: Path) -> None:
    grow(trail, "s", 1, 5)
    since = newest(trail)
    grow(trail, "s", 6, 2)
    assert again(trail, since).ok
    grow(trail, "s", 9, 1)
    [problem] = again(trail, since).problems
    assert "the numbers 8 to 8 are missing" in problem.what


def test_a_trail_whose_beginning_is_another_is_found(trail: Path, tmp_path: Path, sql: Sql) -> None:
    grow(trail, "s", 1, 300)
    other = tmp_path / "other.db"
    grow(other, "t", 1, 300)
    assert not again(trail, newest(other)).ok
    since = newest(trail)
    sql("UPDATE tile SET hashes = zeroblob(length(hashes)) WHERE level = 1")
    assert not again(trail, since).ok


def test_a_trail_that_was_cut_below_the_last_time_is_found(trail: Path, sql: Sql) -> None:
    grow(trail, "s", 1, 10)
    since = newest(trail)
    for statement in ("DELETE FROM event", "DELETE FROM tile", "DELETE FROM checkpoint"):
        sql(statement)
    sql("UPDATE head SET size = 0, frontier = x''")
    assert any("cut or rolled back" in p.what for p in again(trail, since).problems)


def test_the_command_keeps_its_place_in_a_file(
    trail: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "verified"
    argv = ["verify", "--trail", str(trail), "--incremental", str(place)]
    grow(trail, "s", 1, 10)
    assert main(argv) == 0
    assert "10 entries" in capsys.readouterr().out
    kept = json.loads(place.read_text("utf-8"))
    assert kept["checkpoint"] == str(newest(trail).note)
    assert [(key["first"], key["last"]) for key in kept["keys"]] == [(0, None)]
    grow(trail, "s", 11, 10)
    assert main(argv) == 0
    assert "Of the first 10, verified before" in capsys.readouterr().out
    place.write_text(str(newest(trail).note), "utf-8")  # as a witness has it
    assert main(argv) == 0


def test_a_trail_without_an_entry_leaves_no_place_behind(
    trail: Path, tmp_path: Path, store: str
) -> None:
    place = tmp_path / "verified"
    argv = ["verify", "--trail", str(trail), "--incremental", str(place)]
    assert main(argv) == (0 if store == "postgres" else 2), "a database is there before an event"
    assert not place.exists()
    grow(trail, "s", 1, 10)
    assert main(argv) == 0
    assert place.exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda kept: "something else",
        lambda kept: "",
        lambda kept: "\ud800",
        lambda kept: "{",
        lambda kept: "{}",
        lambda kept: json.dumps({**kept, "more": 1}),
        lambda kept: json.dumps({**kept, "checkpoint": "x"}),
        lambda kept: json.dumps({**kept, "keys": [{"key": "x", "first": 0, "last": None}]}),
        lambda kept: json.dumps({**kept, "keys": [{**kept["keys"][0], "first": "0"}]}),
        lambda kept: json.dumps({**kept, "keys": kept["keys"] * 10_000}),
    ],
    ids=["text", "empty", "surrogate", "cut", "bare", "more", "note", "key", "size", "long"],
)
def test_a_place_that_is_none_is_refused(
    trail: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[dict[str, Any]], str],
) -> None:
    place = tmp_path / "verified"
    argv = ["verify", "--trail", str(trail), "--incremental", str(place)]
    grow(trail, "s", 1, 10)
    assert main(argv) == 0
    text = change(json.loads(place.read_text("utf-8")))
    place.write_text(text, "utf-8", "surrogatepass")
    capsys.readouterr()
    assert main(argv) == 2
    assert "not from an earlier verification" in capsys.readouterr().err
    assert place.read_text("utf-8", "surrogatepass") == text


@pytest.mark.parametrize("trusted", [0, 1, 2, None], ids=["first", "second", "third", "beside"])
@pytest.mark.parametrize("seen", [(1,), (2,), (3,), (1, 2), (1, 3), (2, 3), (1, 2, 3)], ids=str)
def test_keys_that_followed_before_the_last_time_are_known(
    trail: Path, tmp_path: Path, trusted: int | None, seen: tuple[int, ...]
) -> None:
    place, keys = tmp_path / "verified", tmp_path / "keys"
    keys.mkdir()
    argv = ["verify", "--trail", str(trail), "--incremental", str(place)]
    public = TrailPaths.of(trail).public_key
    n = 0
    for turn in range(4):
        grow(trail, "s", n := n + 1, 1)
        if turn == 0:
            (keys / "0").write_bytes(public.read_bytes())
        if turn == 3:
            break
        with open_trail(trail) as writer:
            writer.replace_key()
        (keys / str(turn + 1)).write_bytes(public.read_bytes())
        key = [] if trusted is None else ["--key", str(keys / str(trusted))]
        if turn + 1 in seen and (trusted is None or trusted <= turn + 1):
            assert main([*argv, *key]) == 0
    assert main([*argv, *key]) == 0, "the keys since then too"
    other = verifier_of_another(tmp_path)
    assert main([*argv, "--key", str(other)]) == 1, "what was kept makes no key trusted"


def verifier_of_another(folder: Path) -> Path:
    grow(folder / "other.db", "s", 1, 1)
    return TrailPaths.of(folder / "other.db").public_key


def test_a_key_that_ended_before_the_last_time_signs_nothing_more(trail: Path, store: str) -> None:
    paths = TrailPaths.of(trail)
    grow(trail, "s", 1, 1)
    first, private = load_verifier_key(paths), paths.key.read_bytes()
    with open_trail(trail) as writer:
        writer.replace_key()
    grow(trail, "s", 2, 1)
    whole = verify_trail(trail, key=first)
    assert whole.ok
    since = LastTime(Checkpoint.parse(whole.checkpoint), whole.keys)
    assert verify_trail(trail, key=first, since=since).ok
    paths.key.write_bytes(private)  # the old one again, as a thief would
    grow(trail, "s", 3, 1)
    found = verify_trail(trail, key=first, since=since)
    assert found.checkpoint_size == since.checkpoint.size
    assert found.ok == (store == "postgres"), "a host of a database stops signing instead"


def test_a_place_is_not_moved_past_what_does_not_hold(
    trail: Path, tmp_path: Path, sql: Sql
) -> None:
    place = tmp_path / "verified"
    argv = ["verify", "--trail", str(trail), "--incremental", str(place)]
    grow(trail, "s", 1, 10)
    assert main(argv) == 0
    kept = place.read_text("utf-8")
    grow(trail, "s", 11, 10)
    sql("UPDATE event SET core = replace(core, 'note', 'nope') WHERE seq = 15")
    assert main(argv) == 1
    assert place.read_text("utf-8") == kept
