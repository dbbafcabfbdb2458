"""The headers of the rules: complete, and true to the table of techniques."""

import importlib.resources
import tomllib
from pathlib import Path

import pytest

from flowaudit.errors import QueryError
from flowaudit.review import catalogue
from flowaudit.review.catalogue import RULE_IDS, load_rules
from flowaudit.review.rule import parse_rule

RULES = Path(catalogue.__file__).parent / "rules"
TECHNIQUES = tomllib.loads(
    importlib.resources.files("flowaudit.review")
    .joinpath("rules/techniques.toml")
    .read_text("utf-8")
)


def test_every_file_is_in_the_list_and_has_its_id():
    assert {path.stem for path in RULES.glob("*.sql")} == set(RULE_IDS)
    assert tuple(rule.id for rule in load_rules()) == RULE_IDS


@pytest.mark.parametrize("rule", load_rules(), ids=lambda rule: rule.id)
class TestHeader:
    def test_its_ids_are_in_the_table_and_in_its_tags(self, rule):
        assert set(rule.attack) <= TECHNIQUES["attack"].keys()
        assert set(rule.appsensor) <= TECHNIQUES["appsensor"].keys()
        tags = {f"attack.{each.lower()}" for each in rule.attack}
        tags |= {f"appsensor.{each.lower()}" for each in rule.appsensor}
        tactics = {"attack.credential-access", "attack.reconnaissance", "attack.collection"}
        assert set(rule.tags) - tactics == tags

    def test_it_tells_people_what_they_need(self, rule):
        texts = (rule.title, rule.description, rule.why, rule.action, *rule.falsepositives)
        assert all(text.strip() for text in texts)
        assert rule.falsepositives
        assert rule.not_judged

    def test_its_windows_fit_in_its_lookback(self, rule):
        windows = [rule.parameters[arm.window].default for arm in rule.arms.values()]
        assert max(windows) <= rule.lookback_s

    def test_its_parameters_are_used_and_explained(self, rule):
        text = " ".join((rule.sql, rule.agents, rule.spellings))
        for name, parameter in rule.parameters.items():
            asked = f"${name.removesuffix('_s')}_us" if name.endswith("_s") else f"${name}"
            assert asked in text, name
            assert parameter.unit
            assert parameter.meaning
            assert parameter.minimum <= parameter.default

    def test_doubled_thresholds_are_told(self, rule):
        for arm in rule.arms.values():
            assert set(arm.doubled) <= set(arm.thresholds)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "-- id = \n",
        '-- id = "x"\n',
        (RULES / f"{RULE_IDS[0]}.sql").read_text("utf-8").replace("version = 1", 'version = "1"'),
        (RULES / f"{RULE_IDS[0]}.sql").read_text("utf-8").replace("-- why", "-- wherefore", 1),
        (RULES / f"{RULE_IDS[0]}.sql")
        .read_text("utf-8")
        .replace('window = "window_s"', 'window = "none_s"'),
    ],
    ids=["none", "not TOML", "too little", "wrong type", "unknown word", "no such parameter"],
)
def test_a_wrong_header_is_refused(text):
    with pytest.raises(QueryError):
        parse_rule(text)
