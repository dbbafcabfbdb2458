"""`flowaudit coverage`: which requests into an app leave no event."""

import argparse
import os
import sys
from contextlib import redirect_stdout
from typing import Any, Final

from ..coverage.run import Coverage, Probe, Result, look
from ..report.words import printable
from .options import add_format
from .output import print_csv, print_json
from .wording import fold

__all__ = ["add_parser", "run"]

_COLUMNS: Final = ("kind", "host", "path", "methods", "asked", "status", "result", "detail")

_WORDS: Final = {
    "route": ("route", "routes"),
    "mount": ("mount", "mounts"),
    "static": ("static server", "static servers"),
    "websocket": ("websocket", "websockets"),
    "error": ("error handler", "error handlers"),
}

_LISTS: Final[tuple[tuple[Result, str], ...]] = (
    ("uncovered", "No event"),
    ("left-out", "Left out by the policy"),
    ("not-probed", "Not probed"),
)


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "coverage",
        help="which requests into an app leave no event",
        description="Import an app, ask it once for each route, mount, static server, websocket "
        "and error handler, and name those that left no event. No server is started and the app's "
        "trail is not touched, but its handlers run: use a test configuration. Exit status 1 if "
        "any left no event.",
        epilog="example: flowaudit coverage main:app; flowaudit coverage 'shop:create_app()'",
    )
    parser.add_argument(
        "app", metavar="MODULE:APP", help="an ASGI or WSGI app, or a call that makes one"
    )
    add_format(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Ask, and say what left no event. Exit status 1 if anything did not."""
    with redirect_stdout(sys.stderr):  # what the app prints is not our answer
        found = look(args.app)
    if args.format == "json":
        print_json(_as_json(found))
    elif args.format == "csv":
        print_csv(_COLUMNS, [[*_row(probe).values()] for probe in found.probes])
    else:
        _print_text(found)
    status = 1 if found.count("uncovered") else 0
    if found.is_stuck:  # a handler that never ends would keep this process from ending
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status


def _row(probe: Probe) -> dict[str, Any]:
    endpoint = probe.endpoint
    return {
        "kind": endpoint.kind,
        "host": endpoint.host,
        "path": endpoint.path,
        "methods": " ".join(endpoint.methods) or None,
        "asked": probe.asked,
        "status": probe.status,
        "result": probe.result,
        "detail": probe.detail,
    }


def _as_json(found: Coverage) -> dict[str, Any]:
    kinds = found.kinds
    return {
        "app": found.app,
        "interface": found.interface,
        "audits": found.audits,
        "routes": kinds["route"],
        "mounts": kinds["mount"],
        "static": kinds["static"],
        "websockets": kinds["websocket"],
        "error_handlers": kinds["error"],
        "covered": found.count("covered"),
        "uncovered": found.count("uncovered"),
        "left_out": found.count("left-out"),
        "not_probed": found.count("not-probed"),
        "endpoints": [
            {**_row(probe), "methods": list(probe.endpoint.methods)} for probe in found.probes
        ],
    }


def _print_text(found: Coverage) -> None:
    kinds = found.kinds
    counts = [f"{kinds[kind]:,} {_WORDS[kind][kinds[kind] != 1]}" for kind in _WORDS if kinds[kind]]
    missed, asked = found.count("uncovered"), len(found.probes) - found.count("not-probed")
    verdict = f"{missed:,} left no event" if missed else "each left an event"
    if not missed and found.count("left-out"):
        verdict = f"{verdict}, or is left out by the policy"
    print(fold(f"{', '.join(counts)}; {asked:,} probed: {verdict}."))
    if not found.audits:
        print(fold("The app made no FlowAudit: nothing of it can leave an event."))
    is_host_told = len({probe.endpoint.host for probe in found.probes}) > 1
    for result, title in _LISTS:
        probes = [probe for probe in found.probes if probe.result == result]
        if probes:
            print(f"\n{title}")
        for probe in probes:
            print(f"  {printable(_line(probe, is_host_told))}")


def _line(probe: Probe, is_host_told: bool) -> str:
    """Such as `static  /assets: asked GET /assets/a.css, 200`."""
    endpoint = probe.endpoint
    told = f"{_WORDS[endpoint.kind][0]}  {endpoint.path}"
    if is_host_told and endpoint.host:
        told += f" at {endpoint.host}"
    if probe.result == "not-probed":
        return f"{told}: not probed: {probe.detail}"
    came = [str(each) for each in (probe.status, probe.detail) if each is not None]
    return f"{told}: {', '.join([f'asked {probe.asked}', *came])}"
