"""`manage.py flowaudit COMMAND …`: flowaudit's own commands on the project's trail."""

import os
import sys
from argparse import REMAINDER
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandParser

from flowaudit import FlowAudit
from flowaudit.cli import report
from flowaudit.cli.main import build_parser, main
from flowaudit.errors import FlowauditError
from flowaudit.policy.rules import find_policy
from flowaudit.settings import resolve
from flowaudit_django.project import core_settings

__all__ = ["Command"]

_FILES: Final = ("trail", "vault", "key", "spool")


class Command(BaseCommand):
    """Runs `flowaudit.cli` with the project's trail, vault and policy as defaults.

    It records nothing of its own but that the trail was read, as the command `flowaudit` does.
    """

    help = "Read the project's trail: journeys, refusals, findings, proofs."
    requires_system_checks: Sequence[str] = ()

    def run_from_argv(self, argv: list[str]) -> None:
        """From the command line: all but Django's own options is the command's."""
        parser = CommandParser(add_help=False, allow_abbrev=False)
        parser.add_argument("--settings")
        parser.add_argument("--pythonpath")
        _, rest = parser.parse_known_args(argv[2:])
        self._run(rest)

    def print_help(self, prog_name: str, subcommand: str) -> None:
        """What `manage.py help flowaudit` prints."""
        print(build_parser().format_help())

    def add_arguments(self, parser: CommandParser) -> None:
        """For `call_command("flowaudit", "verify", …)`."""
        parser.add_argument("arguments", nargs=REMAINDER, metavar="COMMAND …")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run one command; raises `SystemExit` with its status unless that is 0."""
        with (
            redirect_stdout(options.get("stdout") or sys.stdout),
            redirect_stderr(options.get("stderr") or sys.stderr),
        ):
            self._run(options["arguments"])

    def _run(self, arguments: Sequence[str]) -> None:
        try:
            defaults = _defaults(arguments)
        except FlowauditError as error:
            print(f"flowaudit: {error}", file=sys.stderr)
            raise SystemExit(2) from None
        with _environment(defaults):
            status = main(arguments)
        if status:
            raise SystemExit(status)


def _defaults(arguments: Sequence[str]) -> dict[str, str]:
    """The project's settings as the environment variables that the commands read.

    A command that names another trail, or a file to report on, is given the policy alone: the
    project's vault does not belong to it.
    """
    args = build_parser().parse_args(arguments)
    settings = _settings()
    is_another = getattr(args, "trail", None) is not None or (
        args.run is report.run and args.file is not None
    )
    names = ("policy",) if is_another else ("policy", *_FILES)
    return {
        f"FLOWAUDIT_{name.upper()}": os.fspath(settings[name])
        for name in names
        if settings[name] is not None
    }


def _settings() -> Mapping[str, Any]:
    """The project's settings, without making an audit: who reads need not be able to write."""
    core = core_settings()
    if isinstance(core, FlowAudit):
        return core.settings
    return resolve(core, os.environ, find_policy(core.get("policy")).settings)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
