"""Who did what: the column `who`, once all events are read.

An event's own fields say most of it (`columns.py`). Two things need its neighbours: a sign-in
binds the events of its session, and of the session it replaced, to its actor; and a strict
request's last event completes the one that counts.
"""

from collections.abc import Callable
from typing import Any, Final

__all__ = ["settle_visitors"]

Execute = Callable[[str], Any]

_FINISH: Final = """
UPDATE event SET
    bytes_in = coalesce(f.bytes_in, event.bytes_in),
    bytes_out = coalesce(f.bytes_out, event.bytes_out),
    duration_us = coalesce(f.duration_us, event.duration_us),
    outcome = coalesce(f.outcome, event.outcome),
    reason = CASE WHEN f.outcome IS NULL THEN event.reason ELSE f.reason END
FROM (
    SELECT source, "of", arg_max(bytes_in, seq) AS bytes_in, arg_max(bytes_out, seq) AS bytes_out,
        arg_max(duration_us, seq) AS duration_us, arg_max(outcome, seq) AS outcome,
        arg_max(reason, seq) AS reason
    FROM event WHERE kind = 'request' AND action = 'finished' AND "of" IS NOT NULL
    GROUP BY source, "of"
) AS f
WHERE event.counted AND event."of" = f."of" AND event.source IS NOT DISTINCT FROM f.source
"""
"""Bytes, duration and last outcome of a strict request come with its `finished`."""

_BINDING: Final = """
CREATE TABLE binding AS
WITH sign_in AS (
    SELECT session, actor, ts, seq FROM event
    WHERE kind = 'auth' AND action = 'login' AND actor IS NOT NULL AND session IS NOT NULL
    UNION
    SELECT json_extract_string(data, '$.previous_session') AS session, actor, ts, seq FROM event
    WHERE kind = 'auth' AND action = 'login' AND actor IS NOT NULL AND data IS NOT NULL
)
SELECT
    session,
    actor,
    CASE WHEN row_number() OVER turn > 1 THEN ts END AS from_ts,
    CASE WHEN row_number() OVER turn > 1 THEN seq END AS from_seq,
    lead(ts) OVER turn AS to_ts,
    lead(seq) OVER turn AS to_seq
FROM sign_in
WHERE session IS NOT NULL
WINDOW turn AS (PARTITION BY session ORDER BY ts, seq)
"""
"""Whose a session is, from when to when; the first owner has it from its first event on."""

_BIND: Final = """
UPDATE event SET who = b.actor FROM binding AS b
WHERE event.actor IS NULL AND event.session = b.session
    AND (b.from_ts IS NULL OR (event.ts, event.seq) >= (b.from_ts, b.from_seq))
    AND (b.to_ts IS NULL OR (event.ts, event.seq) < (b.to_ts, b.to_seq))
"""

_NUMBER: Final = (
    "CREATE TABLE visitor AS SELECT who, row_number() OVER (ORDER BY who) AS who_id"
    " FROM (SELECT DISTINCT who FROM event WHERE who IS NOT NULL)",
    "ALTER TABLE event ADD COLUMN who_id BIGINT",
    "UPDATE event SET who_id = visitor.who_id FROM visitor WHERE event.who = visitor.who",
)
"""A number for each visitor: windows over numbers take half the time of those over tokens."""


def settle_visitors(execute: Execute) -> None:
    """Complete strict requests, bind sessions to those who signed in to them, number visitors."""
    if execute("SELECT 1 FROM event WHERE action = 'finished' LIMIT 1").fetchone():
        execute(_FINISH)
    execute(_BINDING)
    if execute("SELECT 1 FROM binding LIMIT 1").fetchone():
        execute(_BIND)
    for statement in _NUMBER:
        execute(statement)
