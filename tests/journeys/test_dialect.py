"""Every SQL file keeps to the dialect that DuckDB and Spark read alike.

The rules are those of `docs/analyses.md`; each stands for a difference that was silent.
"""

from pathlib import Path

import pytest
from sqlglot import exp, parse

PACKAGE = Path(__file__).parent.parent.parent / "flowaudit"
FILES = sorted(
    [*(PACKAGE / "journeys").glob("*.sql"), *(PACKAGE / "review" / "rules").glob("*.sql")]
)

FUNCTIONS = {
    "ABS",
    "ARRAY_AGG",
    "ARRAY_CONTAINS",
    "ARRAY_SORT",
    "ARRAY_TO_STRING",  # what sqlglot calls ARRAY_JOIN
    "CASE",
    "CAST",
    "COALESCE",
    "CONCAT",
    "COUNT",
    "EXISTS",
    "GREATEST",
    "LAG",
    "LEAD",
    "LEAST",
    "LENGTH",
    "LOWER",
    "MAX",
    "MIN",
    "NULLIF",
    "REGEXP_EXTRACT",
    "REPLACE",
    "ROW_NUMBER",
    "STR_POSITION",
    "SUBSTRING",
    "SUM",
    "TRIM",
    "UPPER",
}
"""What both engines have under one name and one meaning; a new one is tried on both first."""

ORDERED = {"ROW_NUMBER", "LAG", "LEAD"}
"""Window functions whose result hangs on the order of rows."""

TYPES = {"BIGINT", "INT", "BOOLEAN", "TEXT", "VARCHAR"}


def faults(sql, columns):
    """What in a text breaks the dialect, as sentences."""
    trees = parse(sql, read="duckdb")
    if len(trees) != 1 or not isinstance(trees[0], exp.Query):
        return ["not one query"]
    tree = trees[0]
    return [
        *(f"backslash in {part!r}" for part in sql.split("'")[1::2] if "\\" in part),
        *("division" for _ in tree.find_all(exp.Div, exp.IntDiv)),
        *("LIKE" for _ in tree.find_all(exp.Like, exp.ILike)),
        *("SELECT *" for s in tree.find_all(exp.Star) if not isinstance(s.parent, exp.Count)),
        *("outer join" for join in tree.find_all(exp.Join) if join.side or join.kind == "OUTER"),
        *("ORDER BY a place" for o in tree.find_all(exp.Ordered) if o.this.is_number),
        *(f"type {t.sql()}" for t in tree.find_all(exp.DataType) if t.this.name not in TYPES),
        *(f"alias {name} hides a column" for name in _hidden_columns(tree, columns)),
        *_function_faults(tree),
    ]


def _function_faults(tree):
    for function in tree.find_all(exp.Func):
        if isinstance(function, (exp.And, exp.Or)) or isinstance(function.parent, exp.Case):
            continue
        name = function.name if isinstance(function, exp.Anonymous) else function.sql_name()
        window = function.parent if isinstance(function.parent, exp.Window) else None
        if name not in FUNCTIONS:
            yield f"function {name}"
        if name == "SUM" and not isinstance((window or function).parent, exp.Cast):
            yield "bare SUM"
        if name in ORDERED and not _is_ordered(window):
            yield f"{name} without an order"
        if name == "COUNT" and isinstance(function.this, exp.Distinct):
            if window is not None:
                yield "COUNT(DISTINCT …) OVER"
            if len(function.this.expressions) != 1:
                yield "COUNT(DISTINCT a, b)"


def _is_ordered(window):
    if window is None or window.args.get("order"):
        return window is not None
    named = window.find_ancestor(exp.Select).args.get("windows") or []
    return any(each.name == window.alias and each.args.get("order") for each in named)


def _hidden_columns(tree, columns):
    """Aliases that are also a column of what their SELECT reads: which one is meant differs."""
    made = {cte.alias: set(cte.this.named_selects) for cte in tree.find_all(exp.CTE)}
    for select in tree.find_all(exp.Select):
        read = set()
        joins = [join.this for join in select.args.get("joins") or []]
        for source in [*(f.this for f in [select.args.get("from_")] if f), *joins]:
            if isinstance(source, exp.Subquery):
                read |= set(source.this.named_selects)
            else:
                read |= made.get(source.name, columns)
        for alias in select.expressions:
            if not isinstance(alias, exp.Alias) or alias.alias not in read:
                continue
            if not (isinstance(alias.this, exp.Column) and alias.this.name == alias.alias):
                yield alias.alias


@pytest.fixture(scope="module")
def columns():
    pytest.importorskip("duckdb")
    from flowaudit.journeys.engine import Engine

    with Engine.from_events([]) as engine:
        engine.rows("SELECT client_key, bot, path_decoded FROM events")
        return frozenset(engine.run("SELECT * FROM events").column_names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_keeps_to_the_dialect(path, columns):
    assert faults(path.read_text("utf-8"), columns) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_says_at_its_top_what_it_gives(path):
    assert path.read_text("utf-8").startswith("-- ")


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        ("SELECT 7 / 2 AS x", "division"),
        ("SELECT 'a\\b' AS x", "backslash"),
        ("SELECT a FROM t WHERE a LIKE 'x%'", "LIKE"),
        ("SELECT * FROM t", "SELECT *"),
        ("SELECT t.* FROM t", "SELECT *"),
        ("SELECT a FROM t LEFT JOIN u ON t.a = u.a", "outer join"),
        ("SELECT a FROM t FULL OUTER JOIN u ON t.a = u.a", "outer join"),
        ("SELECT date_trunc('day', a) AS x FROM t", "function"),
        ("SELECT now() AS x", "function"),
        ("SELECT CAST(a AS TIMESTAMP) AS x FROM t", "type"),
        ("SELECT COUNT(DISTINCT a, b) AS x FROM t", "COUNT(DISTINCT a, b)"),
        ("SELECT COUNT(DISTINCT a) OVER (PARTITION BY b) AS x FROM t", "COUNT(DISTINCT …) OVER"),
        ("SELECT SUM(a) AS x FROM t", "bare SUM"),
        ("SELECT LAG(a) OVER (PARTITION BY b) AS x FROM t", "LAG without an order"),
        ("SELECT ROW_NUMBER() OVER w AS x FROM t WINDOW w AS (PARTITION BY b)", "without an order"),
        ("SELECT MAX(ts) AS ts FROM t", "alias ts"),
        ("SELECT a + 1 AS a FROM (SELECT x AS a FROM t) AS u", "alias a"),
        (
            "WITH c AS (SELECT x AS a FROM t) SELECT b.a + 1 AS a FROM t JOIN c AS b ON 1 = 1",
            "alias a",
        ),
        ("SELECT a FROM t ORDER BY 1", "a place"),
        ("SELECT 1 AS x; SELECT 2 AS y", "not one query"),
        ("DROP TABLE t", "not one query"),
    ],
)
def test_the_lint_finds_what_it_looks_for(sql, fault):
    assert any(fault in each for each in faults(sql, {"ts"})), faults(sql, {"ts"})


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT CAST(SUM(a) AS BIGINT) AS x, COUNT(*) AS n, t.ts AS ts FROM t GROUP BY b",
        "SELECT CAST(SUM(a) OVER (ORDER BY ts, seq) AS BIGINT) AS x FROM t",
        "SELECT LAG(a) OVER w AS x FROM t JOIN u ON t.a = u.a WINDOW w AS (ORDER BY ts, seq)",
        "SELECT a - a % 3600 AS x FROM t CROSS JOIN u WHERE NOT EXISTS (SELECT 1 AS one FROM v)",
    ],
)
def test_the_lint_lets_the_dialect_pass(sql):
    assert faults(sql, {"ts"}) == []
