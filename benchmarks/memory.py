"""Memory of a process that captures a million requests, most of them with targets of their own."""

import gc
import resource
import tempfile
from pathlib import Path

from flowaudit import FlowAudit

from . import capture

REQUESTS = 1_000_000
STEP = 100_000
PAUSE = 10_000
FLAT_MB = 24.0
"""Growth after the first step that is still flat: the caches are full by then."""


def resident_mb() -> float:
    """Resident memory now, without the pages of the spool's mapping, which is a file's."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["RssAnon"].split()[0]) / 1024


def main() -> None:
    if not Path("/proc/self/status").exists():
        print("memory: not run, it needs /proc")
        return
    with tempfile.TemporaryDirectory() as folder:
        audit = FlowAudit(trail=Path(folder) / "bench.db", session_cookie=["clinic_session"])
        app = audit.wsgi(capture.bare_wsgi)
        base = capture.environ(0)
        seen = []
        for i in range(REQUESTS):
            path = f"/doctors/{i}/slots" if i % 4 else "/"
            environ = {
                **base,
                "PATH_INFO": path,
                "RAW_URI": path,
                "HTTP_USER_AGENT": f"Browser/{i % 50_000}",
                "HTTP_COOKIE": f"clinic_session={i:032x}",
                "HTTP_REFERER": f"https://clinic.example.org/{i}",
            }
            for _ in app(environ, lambda status, headers, exc_info=None: lambda data: None):
                pass
            if (i + 1) % PAUSE == 0:
                assert audit.flush(60)  # a loop without any pause is faster than a disk
            if (i + 1) % STEP == 0:
                gc.collect()
                seen.append(resident_mb())
        assert audit.counters["lost"] == 0, "events were lost: the figures are void"
        audit.close()
    grown = max(seen[1:]) - seen[0]
    print(f"memory over {REQUESTS:,} requests, each with a path, session and referer of its own:")
    print(
        f"  {seen[0]:.0f} MB after {STEP:,}, {seen[-1]:.0f} MB at the end, grown by {grown:.1f} MB"
    )
    print(f"  goal: flat: {capture.verdict(grown <= FLAT_MB)}")
    print(f"  peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
