"""Do every fault, in full numbers, and print one table of figures: `make faults`."""

import sys
import time

from . import hindering, killing, mutating, powering
from .figures import table

KINDS = {
    "mutations": mutating.run,
    "kills": killing.run,
    "power cuts": powering.run,
    "hindrances": hindering.run,
}


def main() -> int:
    """Print the figures; 1 if anything did not hold. Names of kinds may be given."""
    held = True
    for name in sys.argv[1:] or KINDS:
        start = time.monotonic()
        figures = KINDS[name]()
        print(f"{name} ({time.monotonic() - start:,.0f} s)\n{table(figures)}\n", flush=True)
        held = held and all(figure.ok for figure in figures)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
