"""Reading a trail in the process that writes it: the same events, and no lock dropped."""

import subprocess
import sys
from pathlib import Path

from flowaudit import FlowAudit
from flowaudit.journeys.engine import Engine


def test_an_open_trail_is_read_by_the_sqlite_that_writes_it(audit: FlowAudit, trail: Path) -> None:
    for i in range(50):
        audit.record("note", number=i)
    audit.record("ops", "deploy", version="2")
    assert audit.flush()
    question = "SELECT seq, kind, data, facts FROM events ORDER BY seq"
    with Engine.open(trail) as engine:
        while_open = engine.rows(question)
    code = (
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]);"
        "db.execute('SELECT count(*) FROM event').fetchone(); db.close()"
    )
    subprocess.run([sys.executable, "-c", code, str(trail)], check=True, timeout=30)
    assert trail.with_name("t.db-wal").exists(), "another process took itself for the last one"
    audit.close()
    with Engine.open(trail) as engine:
        closed = engine.rows(question)
    assert len(while_open) == 53
    assert closed[:53] == while_open
