"""What detections find beside the events: declared lists, accounts, sources, spellings.

This is the adapter between the portable text of the rules and the embedded engine: what a rule
calls by a function that the engine names otherwise, and what only Python can tell, is made here.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from ..journeys.derived import agent_columns
from ..journeys.engine import Engine
from .catalogue import never_paths, read_query, sensitive_paths
from .declarations import Declarations
from .rule import Rule
from .spelling import one_spelling

__all__ = ["MAINTAINED", "SCANNED", "make_context", "make_matched", "parameters_for"]

SCANNED: Final = "client IN (SELECT value FROM scanner_client)"
"""An event of a declared scanner."""

MAINTAINED: Final = (
    "EXISTS (SELECT 1 FROM maintenance AS m WHERE events.ts >= m.from_ts AND events.ts < m.to_ts)"
)
"""An event of a declared maintenance window."""

TOLD_BY_SERVER: Final = "(resource IS NULL OR resource <> 'flowaudit-beacon')"
"""Not an event of the beacon: what a browser says of itself is no answer of the server's."""

_MACROS: Final = (
    "CREATE OR REPLACE MACRO get_json_object(document, place) AS"
    " json_extract_string(document, place)",
    "CREATE OR REPLACE MACRO array_join(items, mark) AS array_to_string(items, mark)",
)
"""Functions that other engines have by these names."""

_TABLES: Final = ("account_event", "deploy", "privileged_actor", "share_event")
"""Tables that are made for the rules that name them, each from the SQL file of its name."""

_PARAMETER: Final = re.compile(r"\$([a-z][a-z0-9_]*)")

_ODD_PATH: Final = r"[^a-z0-9/._~!$&''()*+,=:@-]|//|/\.|./$"
"""A path in which this is not found is in its one spelling already."""


def make_context(engine: Engine, declarations: Declarations) -> None:
    """See to the functions and lists that any rule may name."""
    for macro in _MACROS:
        engine.run(macro)
    engine.view("privileged_role", declarations.privileged_roles)
    engine.view("sensitive_path", [asdict(path) for path in sensitive_paths()])
    engine.view("never_path", [asdict(path) for path in never_paths()])
    engine.view("scanner_client", _scanner_clients(engine, declarations))
    maintenance = [(w.from_ts, w.to_ts) for w in declarations.maintenance]
    engine.view("maintenance", _rows(("from_ts", "to_ts"), maintenance, int))


def make_matched(
    engine: Engine, rule: Rule, parameters: Mapping[str, int], declarations: Declarations
) -> None:
    """See to the view `matched` of a rule, and to what else it asks for."""
    conditions = ["ts IS NOT NULL", f"({rule.filter})", TOLD_BY_SERVER]
    # an empty list would be looked through for every event
    conditions += [f"(NOT {SCANNED} OR client IS NULL)"] if declarations.scanners else []
    conditions += [f"NOT {MAINTAINED}"] if declarations.maintenance else []
    engine.view(
        "matched",
        f"SELECT seq, ts, {', '.join(rule.fields)} FROM events WHERE {' AND '.join(conditions)}",
    )
    for table in _TABLES:
        if re.search(rf"\b{table}\b", rule.sql):
            engine.keep(table, read_query(table))
    agents = _texts(engine, rule.agents, parameters) if rule.agents else []
    engine.view("agent", _agents(agents, declarations))
    if rule.spellings:
        odd = f"SELECT path FROM ({rule.spellings}) AS p WHERE regexp_matches(path, '{_ODD_PATH}')"
        paths = _texts(engine, odd, parameters)
        rows = [(path, one_spelling(path)) for path in paths]
        engine.view("spelled", _rows(("path", "place"), rows, str))


def parameters_for(text: str, parameters: Mapping[str, int]) -> dict[str, int]:
    """The parameters that a query names. A rule tells times in seconds, a query counts µs."""
    known = dict(parameters)
    for name, value in parameters.items():
        if name.endswith("_s"):
            known[f"{name.removesuffix('_s')}_us"] = value * 1_000_000
    return {name: known[name] for name in set(_PARAMETER.findall(text))}


def _texts(engine: Engine, sql: str, parameters: Mapping[str, int]) -> list[str]:
    rows = engine.rows(sql, parameters_for(sql, parameters))
    return sorted({text for (text,) in rows if text is not None})


def _agents(texts: list[str], declarations: Declarations) -> Any:
    """The User-Agents told apart; the empty one is always there."""
    rows: list[tuple[str, str, bool]] = [("", "", False)]
    for text in filter(None, texts):
        client_class, _device, is_bot = agent_columns(text)
        family = str(client_class).partition("/")[0]
        rows.append((text, str(client_class), bool(is_bot) or family in declarations.crawlers))
    return [
        {"ua": text, "client_class": client_class, "is_crawler": is_crawler}
        for text, client_class, is_crawler in rows
    ]


def _scanner_clients(engine: Engine, declarations: Declarations) -> list[str]:
    if not declarations.scanners:
        return []
    clients = engine.rows("SELECT DISTINCT client FROM events WHERE client IS NOT NULL")
    return [client for (client,) in clients if _is_in(client, declarations.scanners)]


def _is_in(client: str, networks: "tuple[Any, ...]") -> bool:
    try:
        address: Any = ipaddress.ip_address(client)
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return any(address in network for network in networks)


def _rows(names: tuple[str, ...], rows: list[tuple[Any, ...]], kind: type) -> Any:
    """Rows as an Arrow table, which has its types also when it is empty."""
    import pyarrow

    cell = pyarrow.int64() if kind is int else pyarrow.string()
    columns = list(zip(*rows, strict=True)) or [() for _ in names]
    return pyarrow.table(
        {name: pyarrow.array(c, cell) for name, c in zip(names, columns, strict=True)}
    )
