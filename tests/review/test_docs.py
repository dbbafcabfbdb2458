"""The page on detections says of each what its header says."""

import re
from pathlib import Path

import pytest

from flowaudit.review.catalogue import RULE_IDS, load_rules
from flowaudit.review.finding import EVENTS_CAP, SEVERITIES

PAGE = (Path(__file__).parent.parent.parent / "docs" / "detections.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))


def test_there_is_a_section_for_each_detection_in_order():
    assert [name for name in SECTIONS if "-" in name] == list(RULE_IDS)


@pytest.mark.parametrize("rule", load_rules(), ids=lambda rule: rule.id)
def test_a_section_is_true_to_the_header(rule):
    section = SECTIONS[rule.id]
    assert f"{rule.title}. Version {rule.version}." in section
    assert f"AppSensor {', '.join(rule.appsensor)}." in section
    assert (f"ATT&CK {', '.join(rule.attack)}." if rule.attack else "No ATT&CK id") in section
    table = dict(re.findall(r"^\| `(\w+)` \| (\d+) \| ", section, re.MULTILINE))
    assert table == {name: str(each.default) for name, each in rule.parameters.items()}
    for each in rule.parameters.values():
        assert " ".join(each.meaning.split()) in section


def test_what_holds_for_all_is_true():
    assert f"at most {EVENTS_CAP}" in PAGE
    assert ", ".join(SEVERITIES) in PAGE


def test_the_keys_of_the_json_are_told():
    from flowaudit.cli.review import finding_json
    from flowaudit.review.finding import Finding

    finding = Finding("", "info", {}, 0, 0, 0, {}, (), 0, 1, "", False, False)
    told = re.findall(r"^\| (`[^|]*`) \|", PAGE[: PAGE.index("### What can be declared")], re.M)
    keys = [key.strip("` ") for cell in told for key in cell.split(",")]
    assert keys == list(finding_json(finding))
