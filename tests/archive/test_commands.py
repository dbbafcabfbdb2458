"""The commands about archives, as they are typed."""

import json
from pathlib import Path

import pytest

from flowaudit.cli import main
from flowaudit.trail.paths import TrailPaths
from flowaudit.vault.tokens import Vault
from tests.archive.trails import contents, grow


def test_a_trail_is_archived_and_verified(
    trail: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grow(trail, [600, 300])
    place = tmp_path / "archive"
    command = ["archive", "--trail", str(trail), "--to", str(place), "--older-than", "2d"]
    assert main([*command, "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["place"] == str(place)
    assert [(each["first"], each["last"]) for each in told["files"]] == [(0, 511), (512, 767)]
    assert all(
        (place / each["file"]).stat().st_size == each["size_bytes"] for each in told["files"]
    )
    assert contents(trail)[0].seq == 768

    assert main(["verify", "--trail", str(trail)]) == 0
    said = capsys.readouterr().out
    assert "768 entries stand in archives and were not looked at" in said
    assert f"of {len(contents(trail)) + 768:,} entries {len(contents(trail)):,} were looked" in said
    assert main(["verify", "--trail", str(trail), "--archive", str(place)]) == 0
    assert "looked at" not in capsys.readouterr().out
    (place / told["files"][0]["file"]).write_bytes(b"gone")
    assert main(["verify", "--trail", str(trail), "--archive", str(place)]) == 1
    assert "entry 0" in capsys.readouterr().out

    assert main(command) == 0
    assert "Nothing was archived" in capsys.readouterr().out


def test_what_was_pruned_is_not_said_to_be_back(
    trail: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grow(trail, [600, 300])
    place = str(tmp_path / "archive")
    own = ["--trail", str(trail)]
    with Vault(TrailPaths.of(trail).vault) as vault:
        vault.token("user:1")
    assert main(["archive", *own, "--to", place, "--older-than", "2d"]) == 0
    assert main(["prune", *own, "--archive", place, "--older-than", "2d", "--yes"]) == 0
    capsys.readouterr()
    assert main(["restore", *own, "--archive", place]) == 0
    said = capsys.readouterr().out
    assert said.startswith("0 entries are back")
    assert "768 of that span were pruned: nobody can bring them back." in said


@pytest.mark.parametrize(
    ("more", "what"),
    [
        (["--before", "2026-13-01"], "a day such as"),
        (["--before", "2999-01-01"], "a day that has begun"),
        (["--older-than", "x"], "a number of days"),
        (["--older-than", "0d"], "a number of days"),
        (["--to", "nonsense://x"], "no place for archives"),
        (["--trail", "/nowhere/t.db"], "no trail"),
    ],
)
def test_a_mistake_is_one_line(
    trail: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], what: str
) -> None:
    grow(trail, [10])
    assert main(["archive", "--trail", str(trail), "--to", str(tmp_path / "a"), *more]) == 2
    said = capsys.readouterr().err
    assert what in said
    assert said.count("\n") == 1
