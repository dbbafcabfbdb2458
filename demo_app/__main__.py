"""`python -m demo_app`: serve the clinic, live a week in it, and report on what happened."""

import argparse
import shutil
import sys
import time
from pathlib import Path
from typing import Final

from flowaudit.evidence.pack import Asked, write_pack
from flowaudit.journeys.engine import Engine
from flowaudit.policy.rules import load_policy
from flowaudit.report.build import Report, build_report
from flowaudit.report.page import render_page
from flowaudit.report.text import print_report
from flowaudit.review.engine import review
from flowaudit.trail.paths import TrailPaths
from flowaudit.vault.tokens import Vault
from flowaudit.verification.trail import verify_trail

from .browser import Time, Wire
from .serving import POLICY, serve
from .store import Clinic
from .verdict import Verdict, judge
from .week import DAY_S, START, Week

__all__ = ["live", "main", "prove", "read"]

SEED: Final = 7
BEFORE, AFTER = "1.4.2", "1.5.0"
"""Versions of the portal before and after the release."""

RELEASE_DAY: Final = 3.5
"""Days after the week's start at which it is: Thursday noon."""


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; exit status 1 if an attack was missed or somebody honest accused."""
    parser = argparse.ArgumentParser(prog="python -m demo_app", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("demo-output"), metavar="FOLDER")
    parser.add_argument("--days", type=float, default=7.0, help="how much of the week (default 7)")
    parser.add_argument("--seed", type=int, default=SEED, help="another seed, another week")
    args = parser.parse_args(arguments)
    trail = _fresh_trail(args.output)
    page = args.output / "flow-report.html"
    week = live(trail, days=args.days, seed=args.seed)
    print("Reading the trail …", flush=True)
    report, verdict = read(trail, week)
    page.write_text(render_page(report), "utf-8")
    print()
    print_report(report, page=str(page))
    return _conclude(report, verdict, page, trail, prove(trail, report, args.output / "case.zip"))


def live(
    trail: Path, *, days: float = 7.0, seed: int = SEED, release_day: float = RELEASE_DAY
) -> Week:
    """Serve the portal and let the week happen, with a release in it if it is long enough."""
    began = time.monotonic()
    clock = Time(START)
    wire = Wire(clock)
    clinic = Clinic(seed, clock, BEFORE)
    week = Week(clinic, wire, seed, days)
    week.plan()
    for version, start, end in _releases(days, release_day):
        clinic.version = version
        with serve(clinic, trail, clock) as (port, audit):
            if version != BEFORE:
                audit.record("ops", "deploy", service="clinic", version=version)
            wire.connect(port)
            _run_days(week, start, end, began)
            wire.close()
            counters = {name: n for name, n in audit.counters.items() if n}
        if counters:
            print(f"  not everything was captured: {counters}", file=sys.stderr)
    return week


def _releases(days: float, release_day: float) -> list[tuple[str, float, float]]:
    """Each version of the portal, from when to when."""
    end, release = START + days * DAY_S, START + release_day * DAY_S
    if release >= end:
        return [(BEFORE, START, end)]
    return [(BEFORE, START, release), (AFTER, release, end)]


def read(trail: Path, week: Week) -> tuple[Report, Verdict]:
    """Verify the trail, review it, and gather the report."""
    policy = load_policy(POLICY)
    with Vault(trail.with_name(f"{trail.name}.vault")) as vault:
        names = vault.identities()
    verification = verify_trail(trail)
    with Engine.open(trail) as engine:
        said = review(engine, policy.review, names=names)
        report = build_report(
            engine,
            name="clinic",
            made_ts=int((START + week.days * DAY_S) * 1_000_000),
            review=said,
            verification=verification,
            flows=policy.flows,
            trail=str(trail),
            names=names,
        )
        return report, judge(engine, said, week.planted, names)


def prove(trail: Path, report: Report, case: Path) -> Path | None:
    """An evidence pack on the person of the gravest finding; `None` if no finding names one."""
    findings = report.review.findings
    actor = next((found.key["actor"] for found in findings if "actor" in found.key), None)
    if actor is None:
        return None
    paths = TrailPaths.of(trail)
    with case.open("wb") as file, Vault(trail.with_name(f"{trail.name}.vault")) as vault:
        write_pack(file, paths, Asked(actors=(actor,), why="the demo's gravest finding"), vault)
    return case


def _run_days(week: Week, start: float, end: float, began: float) -> None:
    at = start
    while at < end:
        at = min(at + DAY_S - (at - START) % DAY_S, end)
        week.run(at)
        took = time.monotonic() - began
        until = time.strftime("%A %H:%M", time.gmtime(at))
        print(f"  to {until:<16}{week.wire.requests:>7,} requests {took:>6.1f} s", flush=True)


def _fresh_trail(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    trail = folder / "clinic.db"
    for old in folder.glob("clinic.db*"):
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    return trail


def _conclude(report: Report, verdict: Verdict, page: Path, trail: Path, case: Path | None) -> int:
    check = report.verification
    is_intact = check is not None and check.ok
    print(f"\nThe trail {'verifies' if is_intact else 'DOES NOT VERIFY'}.")
    total = len(verdict.found) + len(verdict.missed)
    print(f"Planted attacks found: {len(verdict.found)} of {total}.")
    for attack, finding in verdict.found:
        print(f"  found   {finding.severity:<9}{attack.rule:<23}{attack.what}")
    for attack in verdict.missed:
        print(f"  MISSED           {attack.rule:<23}{attack.what}")
    print(f"Findings on honest people: {len(verdict.accused)}.")
    for finding in verdict.accused:
        print(f"  FALSE   {finding.severity:<9}{finding.id}: {dict(finding.key)}")
    print(f"\nReport: {page}")
    if case is not None:
        print(f"Evidence on the gravest finding: {case} (any Python checks it: python3 {case})")
    print(f"Next: open it in a browser, or run: flowaudit verify --trail {trail}")
    return 0 if verdict.is_right and is_intact else 1


if __name__ == "__main__":
    sys.exit(main())
