"""The queries around the rules keep to the dialect too."""

from pathlib import Path

import pytest

from flowaudit.review import catalogue
from flowaudit.review.catalogue import load_rules

sqlglot = pytest.importorskip("sqlglot")
FILES = sorted(Path(catalogue.__file__).parent.glob("*.sql"))

BY_ANOTHER_NAME = {"function GET_JSON_OBJECT"}
"""What the embedded engine has by a macro (`context.py`)."""

COMMON = {"function DENSE_RANK"}


@pytest.fixture(scope="module")
def columns():
    pytest.importorskip("duckdb")
    from flowaudit.journeys.engine import Engine

    with Engine.from_events([]) as engine:
        engine.rows("SELECT client_key, bot, path_decoded FROM events")
        return frozenset(engine.run("SELECT * FROM events").column_names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_keeps_to_the_dialect(path, columns):
    from tests.journeys.test_dialect import faults

    text = path.read_text("utf-8")
    assert text.startswith("-- ")
    assert set(faults(text, columns)) <= BY_ANOTHER_NAME | COMMON


@pytest.mark.parametrize("rule", load_rules(), ids=lambda rule: rule.id)
def test_the_conditions_of_a_header_do_too(rule, columns):
    from tests.journeys.test_dialect import faults

    conditions = [rule.filter, *(gap.where for gap in rule.not_judged)]
    queries = [f"SELECT COUNT(*) AS found FROM events WHERE {where}" for where in conditions]
    queries += filter(None, [rule.agents, rule.spellings])
    assert [faults(query, columns) for query in queries] == [[] for _ in queries]


@pytest.mark.parametrize("rule", load_rules(), ids=lambda rule: rule.id)
def test_the_other_engine_can_parse_a_rule(rule):
    sqlglot.parse_one(rule.sql.replace("$", ":"), read="spark")
