"""The columns of the view `events`: the fields of schema 1 as an engine types them.

The text of core and personal becomes columns in one pass of the engine's own JSON reader, which
is told every field and its type; what a row does not have is NULL. Maps stay JSON text.
"""

import json
from typing import Final

from ..policy.navigation import NOT_A_PAGE

__all__ = ["BASE_COLUMNS", "CORE_FIELDS", "PERSONAL_FIELDS", "SELECT_ARCHIVED", "SELECT_EVENTS"]

_TEXT: Final = "VARCHAR"
_INT: Final = "BIGINT"
_JSON: Final = "JSON"

CORE_FIELDS: Final[dict[str, str | list[str]]] = {
    "action": _TEXT,
    "actor": _TEXT,
    "actor_kind": _TEXT,
    "bytes_in": _INT,
    "bytes_out": _INT,
    "duration_us": _INT,
    "facts": _JSON,
    "flags": [_TEXT],
    "flow": _TEXT,
    "host": _TEXT,
    "kind": _TEXT,
    "method": _TEXT,
    "n": _INT,
    "nav": _TEXT,
    "of": _INT,
    "outcome": _TEXT,
    "privileged": "BOOLEAN",
    "reason": _TEXT,
    "request": _TEXT,
    "resource": _TEXT,
    "roles": [_TEXT],
    "route": _TEXT,
    "rows": _INT,
    "session": _TEXT,
    "source": _TEXT,
    "status": _INT,
    "step": _TEXT,
    "trace": _TEXT,
    "ts": _INT,
    "v": _INT,
    "via": _TEXT,
    "visitor": _TEXT,
}
"""Fields of the core and their types."""

PERSONAL_FIELDS: Final[dict[str, str | list[str]]] = {
    "client": _TEXT,
    "data": _JSON,
    "login": _TEXT,
    "path": _TEXT,
    "peer": _TEXT,
    "query": _TEXT,
    "referer": _TEXT,
    "resource_id": _TEXT,
    "ua": _TEXT,
}
"""Fields of the personal part and their types."""

_COUNTED: Final = (
    "(coalesce(kind = 'request', false)"
    " AND (action IS NULL OR action NOT IN ('received', 'finished')))"
)

_NOT_A_PAGE: Final = rf"\.({'|'.join(sorted(NOT_A_PAGE))})$"

_DERIVED: Final = {
    "counted": _COUNTED,
    # until there is inference, the template of a request without a route is its path
    "template": "coalesce(route, path)",
    # the address and User-Agent stand for a visitor for counting only: never for an actor's event
    "who": (
        "CASE WHEN actor IS NOT NULL THEN actor"
        " WHEN session IS NOT NULL THEN 'session:' || session"
        " WHEN visitor IS NOT NULL THEN 'visitor:' || visitor"
        " WHEN client IS NOT NULL THEN 'net:' || client || '/' || left(md5(coalesce(ua, '')), 16)"
        " END"
    ),
    # logs have no Sec-Fetch headers, so imported events have no `nav`: there the extension tells
    "is_page": (
        f"{_COUNTED} AND coalesce(method = 'GET' AND status IN (200, 304)"
        " AND CASE WHEN nav IS NOT NULL THEN nav = 'page'"
        f" ELSE NOT regexp_matches(lower(coalesce(path, route)), '{_NOT_A_PAGE}') END, false)"
    ),
}
"""Columns made as events are read: they need the row alone."""

BASE_COLUMNS: Final = ("seq", *CORE_FIELDS, *PERSONAL_FIELDS, *_DERIVED)
"""Columns of the stored table of events, in order."""


def _fields(names: dict[str, str | list[str]], source: str) -> str:
    return ", ".join(f'{source}."{name}" AS "{name}"' for name in names)


_MADE: Final = ", ".join(f"{sql} AS {name}" for name, sql in _DERIVED.items())

SELECT_EVENTS: Final = f"""
SELECT *, {_MADE}
FROM (
    SELECT seq, {_fields(CORE_FIELDS, "c")}, {_fields(PERSONAL_FIELDS, "p")}
    FROM (
        SELECT
            seq,
            from_json(core, '{json.dumps(CORE_FIELDS)}') AS c,
            from_json(personal, '{json.dumps(PERSONAL_FIELDS)}') AS p
        FROM stored
    )
)
"""
"""Reads `stored(seq, core, personal)`, the texts of a trail, into typed columns."""


def _cast(name: str, kind: str | list[str]) -> str:
    return f'CAST("{name}" AS JSON) AS "{name}"' if kind == _JSON else f'"{name}"'


_ARCHIVED: Final = ", ".join(
    _cast(name, kind) for name, kind in {**CORE_FIELDS, **PERSONAL_FIELDS}.items()
)

SELECT_ARCHIVED: Final = f"""
SELECT *, {_MADE}
FROM (
    SELECT seq, {_ARCHIVED}
    FROM archived
    WHERE raw_core IS NULL AND raw_personal IS NULL
    ORDER BY seq
)
"""
"""Reads `archived`, the columns of an archive's file, into those that a trail's texts become."""
