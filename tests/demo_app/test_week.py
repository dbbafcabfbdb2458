"""Half a day of the demo, end to end: every attack found, nobody honest accused."""

from pathlib import Path

import pytest

pytest.importorskip("uvicorn")
pytest.importorskip("duckdb")
pytest.importorskip("fastapi")

from dataclasses import replace

from demo_app.__main__ import live, main, read
from demo_app.browser import Time, Wire
from demo_app.store import Clinic
from demo_app.verdict import judge
from demo_app.week import START, Week
from flowaudit.evidence.opened import verify_pack
from flowaudit.journeys.engine import Engine
from flowaudit.policy.rules import load_policy
from flowaudit.review.engine import review


def planned(seed: int) -> list[tuple[float, int]]:
    clock = Time(START)
    week = Week(Clinic(seed, clock, "1.4.2"), Wire(clock), seed)
    week.plan()
    return sorted((at, number) for at, number, _ in week._plans)


def test_the_same_seed_plans_the_same_week() -> None:
    assert planned(3) == planned(3) != planned(4)


def test_five_kinds_of_attack_are_planted() -> None:
    clock = Time(START)
    week = Week(Clinic(7, clock, "1.4.2"), Wire(clock), 7)
    week.plan()
    assert len({attack.rule for attack in week.planted}) >= 5


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Week]:
    trail = tmp_path_factory.mktemp("demo") / "clinic.db"
    return trail, live(trail, days=0.5, release_day=0.46)


def test_half_a_day_is_judged_right(lived: tuple[Path, Week]) -> None:
    trail, week = lived
    report, verdict = read(trail, week)
    assert {attack.rule for attack, _ in verdict.found} == {
        "login-brute-force",
        "sensitive-path-probe",
        "object-id-enumeration",
        "privilege-probing",
        "denied-then-allowed",
    }
    assert not verdict.missed
    assert not verdict.accused
    assert report.verification is not None
    assert report.verification.ok


def test_every_request_sent_is_in_the_trail(lived: tuple[Path, Week]) -> None:
    trail, week = lived
    with Engine.open(trail) as engine:
        [(counted, first, last)] = engine.rows(
            "SELECT COUNT(*), MIN(ts), MAX(ts) FROM events WHERE counted"
        )
    assert counted == week.wire.requests
    assert START * 1e6 <= first < last < (START + 86_400 / 2) * 1e6


def test_the_release_stands_between_two_versions(lived: tuple[Path, Week]) -> None:
    with Engine.open(lived[0]) as engine:
        rows = engine.rows(
            "SELECT kind, json_extract_string(facts, '$.version') FROM events"
            " WHERE kind IN ('process', 'ops') AND action IN ('start', 'deploy') ORDER BY seq"
        )
    assert [version for kind, version in rows if kind == "process"] == ["1.4.2", "1.5.0"]
    assert ("ops", "1.5.0") in rows


def test_a_missed_attack_and_a_false_accusation_are_told(lived: tuple[Path, Week]) -> None:
    trail, week = lived
    policy = load_policy(Path("demo_app/flowaudit.toml"))
    with Engine.open(trail) as engine:
        said = review(engine, policy.review)
        first = week.planted[0]
        silent = replace(said, findings=tuple(f for f in said.findings if f.id != first.rule))
        assert judge(engine, silent, week.planted, {}).missed == (first,)
        innocent = judge(engine, said, week.planted[1:], {})
        assert {finding.id for finding in innocent.accused} >= {first.rule}
        assert not innocent.is_right


def test_the_command_writes_the_page_and_says_how_it_went(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--output", str(tmp_path), "--days", "0.5"]) == 0
    assert verify_pack(tmp_path / "case.zip").ok
    shown = capsys.readouterr().out
    assert "Planted attacks found: 5 of 5." in shown
    assert "Findings on honest people: 0." in shown
    assert "The trail verifies." in shown
    assert (tmp_path / "flow-report.html").stat().st_size < 5_000_000
