"""A report in a terminal: 80 columns, the same sentences, bars of block characters."""

import shlex
from collections.abc import Sequence
from typing import IO, Any, Final

from ..errors import MissingExtraError
from .build import Report
from .sentences import sentences_of
from .words import bar, percent, printable, shorten

__all__ = ["print_report"]

WIDTH: Final = 80
ROWS: Final = 5
"""Rows of a list: a screen has room for the first ones; the page and the commands have more."""
FINDINGS: Final = 12
BAR: Final = 16
LABEL: Final = 40

_COLOURS: Final = {
    "critical": "bold red",
    "high": "red",
    "medium": "yellow",
    "low": "dim",
    "info": "dim",
}


def print_report(report: Report, *, file: IO[str] | None = None, page: str | None = None) -> None:
    """Print the summary; the last line says what to run next.

    Colours only on a terminal and never under `NO_COLOR`.

    Args:
        report: what to print.
        file: standard output if not given.
        page: path of the page that was written, to be named.
    """
    try:
        from rich.console import Console
    except ModuleNotFoundError as error:
        raise MissingExtraError("rich", "analysis") from error
    console = Console(file=file, width=WIDTH, highlight=False, markup=False, emoji=False)
    _Summary(console, report).print(page)


class _Summary:
    def __init__(self, console: Any, report: Report) -> None:
        self.console, self.report = console, report
        self.sentences = sentences_of(report)

    def print(self, page: str | None) -> None:
        """Everything, in the order of the page."""
        report, said = self.report, self.sentences
        self._line(f"{printable(report.name)}: flow report", "bold")
        self._line(said.scope, "dim")
        self._line()
        for sentence in (said.stuck, said.findings):
            self._line(printable(sentence))
        self._line(said.integrity, "red" if said.integrity_kind == "broken" else "")
        for sentence in report.left_out:
            self._line(printable(sentence), "dim")
        if report.flow.events:
            self._numbers()
            self._findings()
        if page is not None:
            self._line()
            self._line(f"Page: {printable(page)}")
        self._line()
        self._line(f"Next: {self._next()}", no_wrap=True)

    def _numbers(self) -> None:
        report = self.report
        for ladder in report.ladders:
            result = ladder.result
            rows = list(zip(result.steps, result.reached, strict=True))
            self._ranking(
                f"{printable(ladder.title)} (journeys)", rows, result.reached[0], len(rows)
            )
        flow, denied = report.flow, report.denied
        self._ranking("They come in at (journeys)", flow.entry, flow.sessions_with_page)
        self._ranking("They leave at (journeys)", flow.exit, flow.sessions_with_page)
        self._line()
        self._line(self.sentences.refusals)
        self._ranking("Refused, by client", denied.by_client, denied.total)
        self._ranking("Refused, by route", denied.by_route, denied.total)
        self._ranking("Refused, by reason", denied.by_reason, denied.total)

    def _ranking(
        self, title: str, rows: Sequence[tuple[str | None, int]], whole: int, most: int = ROWS
    ) -> None:
        if not rows:
            return
        self._line()
        self._line(title, "bold")
        largest = max(n for _, n in rows)
        for key, n in rows[:most]:
            label = shorten("(none)" if key is None else printable(key), LABEL)
            self._line(
                f"  {label:<{LABEL}} {bar(n, largest, BAR):<{BAR}} {n:>9,}  {percent(n, whole):>5}",
                no_wrap=True,
            )

    def _findings(self) -> None:
        self._line()
        self._line("Findings", "bold")
        if not self.report.cases:
            self._line(f"  {self.sentences.findings}")
        for case in self.report.cases[:FINDINGS]:
            finding = case.finding
            through = " Something was allowed." if finding.succeeded else ""
            self._line(f"  {finding.severity:<9}{finding.id}", _COLOURS[finding.severity])
            self._line(f"{printable(case.title)}.{through}", indent=4)
        rest = len(self.report.review.findings) - FINDINGS
        if rest > 0:
            self._line(f"  and {rest} more: see the page, or flowaudit review")

    def _next(self) -> str:
        report = self.report
        trail = shlex.quote(printable(report.trail or "flowaudit.db"))
        if not report.flow.events or report.verification is None:
            return f"flowaudit import ACCESS.LOG --trail {trail}"
        if not report.verification.ok:
            return f"flowaudit verify --trail {trail}"
        return f"flowaudit review --trail {trail}"

    def _line(
        self, text: str = "", style: str = "", *, indent: int = 0, no_wrap: bool = False
    ) -> None:
        from rich.padding import Padding
        from rich.text import Text

        shown = Text(text.strip() if indent else text, style=style)
        if indent:
            self.console.print(Padding(shown, (0, 0, 0, indent)))
        else:
            self.console.print(shown, no_wrap=no_wrap, soft_wrap=no_wrap)
