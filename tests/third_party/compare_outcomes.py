"""Compare two JUnit reports of one suite, test by test: `compare_outcomes.py WITHOUT WITH`.

Prints the counts of both and each test whose outcome differs; exit status 1 if any does, or if a
report has no test.
"""

import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree


def outcomes(report: Path) -> dict[str, str]:
    """The outcome of each test: `passed`, or what its report says instead."""
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        kinds = [each.tag for each in case if each.tag in ("failure", "error", "skipped")]
        found[name] = kinds[0] if kinds else "passed"
    return found


def main(without: str, with_us: str) -> int:
    """Compare; the exit status."""
    before, after = outcomes(Path(without)), outcomes(Path(with_us))
    for name, report in (("without", before), ("with", after)):
        print(name, dict(sorted(Counter(report.values()).items())))
    differing = sorted(n for n in {*before, *after} if before.get(n) != after.get(n))
    for name in differing:
        print(f"differs: {name}: {before.get(name)} -> {after.get(name)}")
    for name in sorted(n for n, o in before.items() if o in ("failure", "error")):
        print(f"fails without us: {name}")
    return 1 if differing or not before or not after else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
