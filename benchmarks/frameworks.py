"""What capture adds to FastAPI's own cost, and to Django's beside two audit packages."""

import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

from flowaudit import FlowAudit

from . import capture, django_app

ROUNDS = 3
GOALS = {"django-structlog": 1 / 12, "django-easy-audit": 1 / 12}
FASTAPI_GOAL = 0.15


def fastapi_app() -> Any:
    from fastapi import FastAPI

    app = FastAPI()

    @app.get("/doctors/{number}/slots")
    async def slots(number: int) -> dict[str, Any]:
        return {"doctor": number, "slots": [9, 10, 11]}

    return app


def fastapi() -> None:
    from flowaudit_fastapi import FlowAuditMiddleware

    with tempfile.TemporaryDirectory() as folder:
        audit = FlowAudit(trail=Path(folder) / "bench.db", service="bench")
        bare, ours = fastapi_app(), fastapi_app()
        ours.add_middleware(FlowAuditMiddleware, audit=audit)
        best = {"bare": float("inf"), "ours": float("inf")}
        for _ in range(capture.ROUNDS):
            best["bare"] = min(best["bare"], capture.run_asgi(bare))
            best["ours"] = min(best["ours"], capture.run_asgi(ours, audit.flush))
        assert audit.counters["lost"] == 0, "events were lost: the figures are void"
        audit.close()
    added = best["ours"] - best["bare"]
    share = added / best["bare"]
    print(f"FastAPI, a JSON handler: {best['bare']:.1f} µs a request; the middleware adds")
    print(f"  {added:.1f} µs, {share:.1%} of FastAPI's own cost")
    print(f"  goal: at most {FASTAPI_GOAL:.0%}: {capture.verdict(share <= FASTAPI_GOAL)}")


def django() -> None:
    variants = [
        name for name in django_app.VARIANTS if name in ("bare", "flowaudit") or _is_installed(name)
    ]
    best = dict.fromkeys(variants, float("inf"))
    for _ in range(ROUNDS):
        for name in variants:
            run = [sys.executable, "-m", "benchmarks.django_app", name]
            out = subprocess.run(run, check=True, capture_output=True, text=True, timeout=300)
            best[name] = min(best[name], float(out.stdout.split()[-1]))
    added = {name: value - best["bare"] for name, value in best.items() if name != "bare"}
    print(f"Django (WSGI), a small view: {best['bare']:.1f} µs a request; added CPU:")
    for name, value in added.items():
        print(f"  {name:<18} {value:8.1f} µs   {value / added['flowaudit']:6.2f}× flowaudit")
    for name, goal in GOALS.items():
        if name in added:
            ratio = added["flowaudit"] / added[name]
            print(f"  goal: at most 1/12 of {name}: {capture.verdict(ratio <= goal)}")


def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        print(f"  ({name} is not installed)")
        return False
    return True


def main() -> None:
    fastapi()
    print()
    django()


if __name__ == "__main__":
    sys.exit(main())
