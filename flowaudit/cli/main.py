"""The list of commands, and what happens to a mistake."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import structlog

from .._version import __version__
from ..errors import FlowauditError
from ..report.words import printable
from . import (
    archive,
    backup,
    cosign,
    coverage,
    denied,
    erase,
    evidence,
    flows,
    funnel,
    hold,
    importing,
    journey,
    key,
    policy,
    prune,
    recovering,
    report,
    restore,
    review,
    setup,
    statement,
    subject,
    verifying,
    who,
)

__all__ = ["COMMANDS", "build_parser", "main"]

COMMANDS = (
    importing,
    flows,
    funnel,
    journey,
    denied,
    review,
    report,
    verifying,
    statement,
    evidence,
    recovering,
    archive,
    prune,
    restore,
    backup,
    who,
    subject,
    hold,
    erase,
    key,
    cosign,
    policy,
    coverage,
    setup,
)
"""Modules with `add_parser` and `run`, in the order of `--help`."""


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="flowaudit",
        description="Read a trail of user flows: journeys, refusals, findings, proofs.",
        epilog="flowaudit COMMAND --help shows a command's options and examples.",
    )
    parser.add_argument("--version", action="version", version=f"flowaudit {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_parser(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. A user's mistake is one line on standard error and exit status 2."""
    args = build_parser().parse_args(argv)
    try:
        with _log_on_stderr():
            return int(args.run(args))
    except FlowauditError as error:
        print(f"flowaudit: {printable(error)}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # the reader of our output has gone (`| head`): nothing more to say, also at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("flowaudit: stopped", file=sys.stderr)
        return 130


@contextmanager
def _log_on_stderr() -> Iterator[None]:
    """Our operational log beside the answer, not in it, unless the app says where it goes."""
    if structlog.is_configured():
        yield
        return
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
    try:
        yield
    finally:
        structlog.reset_defaults()
