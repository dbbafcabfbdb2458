"""What a fault showed: how often it was done, and how often what must hold did."""

from collections.abc import Iterable
from dataclasses import dataclass, field

__all__ = ["Figure", "table"]


@dataclass(slots=True)
class Figure:
    """One line of the table."""

    what: str
    must_hold: str
    done: int = 0
    held: int = 0
    failures: list[str] = field(default_factory=list)
    """What did not hold; the first few."""
    note: str = ""

    def count(self, holds: bool, failure: object = "") -> bool:
        """Count one more; says whether it held."""
        self.done += 1
        self.held += holds
        if not holds and len(self.failures) < 20:
            self.failures.append(str(failure))
        return holds

    def add(self, more: "Figure") -> None:
        """Take in the same figure of another run."""
        self.done += more.done
        self.held += more.held
        self.failures += more.failures
        self.note = " + ".join(dict.fromkeys(filter(None, (self.note, more.note))))

    @property
    def ok(self) -> bool:
        """Whether it was done at all, and always held."""
        return 0 < self.done == self.held


def table(figures: Iterable[Figure]) -> str:
    """The figures as lines of text, with every failure below its line."""
    lines = []
    for figure in figures:
        sign = "ok  " if figure.ok else "FAIL"
        note = f" ({figure.note})" if figure.note else ""
        lines.append(
            f"{sign} {figure.held:>9,} of {figure.done:>9,}  {figure.what}: "
            f"{figure.must_hold}{note}"
        )
        lines += [f"       {failure}" for failure in figure.failures]
    return "\n".join(lines)
