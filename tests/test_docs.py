"""Docs cannot drift: commands, settings, detections and public names have their place."""

import re
from pathlib import Path

import pytest

import flowaudit
from flowaudit.cli.main import COMMANDS, build_parser
from flowaudit.policy.classify import CAUSES, CLOSE_STATUS, OUTCOMES, classify_status
from flowaudit.settings import SETTINGS
from flowaudit.trail.schema import TABLES

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "adapters" / "README.md", *sorted(DOCS.rglob("*.md"))]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: s.name)
def test_a_setting_is_on_the_page(setting: object) -> None:
    text = (DOCS / "settings.md").read_text("utf-8")
    name, meaning = setting.name, setting.meaning  # type: ignore[attr-defined]
    assert re.search(rf"^\| `{name}` \|.*\| {re.escape(meaning)} \|$", text, re.MULTILINE)


def command_names() -> list[str]:
    parser = build_parser()
    [actions] = [
        a for a in parser._actions if hasattr(a, "choices") and isinstance(a.choices, dict)
    ]
    return list(actions.choices)


def test_every_command_is_on_the_page_and_has_an_example() -> None:
    text = (DOCS / "commands.md").read_text("utf-8")
    names = command_names()
    assert len(names) == len(COMMANDS)
    for name in names:
        assert f"`flowaudit {name}" in text, name


@pytest.mark.parametrize("name", [n for n in flowaudit.__all__ if n[0].islower()])
def test_a_public_function_is_in_the_docs(name: str) -> None:
    everything = "".join(page.read_text("utf-8") for page in [*PAGES, ROOT / "CHANGELOG.md"])
    assert f"{name}(" in everything


def outcome_rows() -> list[list[str]]:
    rows = re.findall(r"^\| (.+) \|$", (DOCS / "outcomes.md").read_text("utf-8"), re.MULTILINE)
    return [[cell.strip(" `") for cell in row.split("|")] for row in rows]


def test_every_cause_is_on_the_page_with_its_outcome() -> None:
    rows = outcome_rows()
    told = rows[rows.index(["cause", "outcome", "told of"]) + 1 :][: len(CAUSES)]
    assert {cause: outcome for cause, outcome, _ in told} == CAUSES


def test_the_page_of_outcomes_says_of_every_status_what_the_code_says() -> None:
    rows = outcome_rows()
    told = [row for row in rows[rows.index(["status", "outcome", "reason"]) + 1 :] if len(row) == 3]
    by_status = {s: (o, r or None) for names, o, r in told for s in names.split(", ")}
    assert {outcome for outcome, _ in by_status.values()} < set(OUTCOMES)
    for status in range(1_000):
        kind = f"{status // 100}xx" if 100 <= status < 400 else f"any other {status // 100}xx"
        default = by_status["any other 5xx"]
        expected = by_status.get(str(status), by_status.get(kind, default))
        assert tuple(classify_status(status)) == expected, status


def test_the_page_of_outcomes_has_every_close_code() -> None:
    rows = outcome_rows()
    told = rows[rows.index(["close code of the app", "is read as"]) + 1 :]
    by_code = {int(code): int(status) for codes, status in told for code in codes.split(", ")}
    assert by_code == CLOSE_STATUS


def test_every_detection_has_a_section() -> None:
    text = (DOCS / "detections.md").read_text("utf-8")
    for rule in (ROOT / "flowaudit" / "review" / "rules").glob("*.sql"):
        assert re.search(rf"^#+ .*{re.escape(rule.stem)}", text, re.MULTILINE), rule.stem


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_index_names_every_page() -> None:
    text = (DOCS / "index.md").read_text("utf-8")
    for page in DOCS.glob("*.md"):
        assert page.name == "index.md" or f"({page.name})" in text, page.name


def test_the_life_of_a_request_names_files_that_exist() -> None:
    text = (DOCS / "life-of-a-request.md").read_text("utf-8")
    for name in set(re.findall(r"`([a-z_/]+\.py)`", text)):
        assert (ROOT / "flowaudit" / name).exists(), name


@pytest.mark.parametrize("framework", ["FastAPI", "Flask"])
def test_the_tutorials_app_runs(
    framework: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(framework.lower())
    text = (DOCS / "tutorial.md").read_text("utf-8")
    section = text.split(f"### {framework}", 1)[1]
    code = section.split("```python\n", 1)[1].split("```", 1)[0]
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "tutorial"}
    exec(compile(code, "tutorial.md", "exec"), names)
    names["audit"].close()  # type: ignore[attr-defined]
    assert "app" in names


@pytest.mark.parametrize("name", TABLES)
def test_the_statement_that_makes_a_table_is_on_the_page(name: str) -> None:
    assert TABLES[name] in (DOCS / "trail-format.md").read_text("utf-8").splitlines()
