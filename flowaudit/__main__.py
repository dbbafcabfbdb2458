"""`python -m flowaudit`."""

import sys

from .cli import main

if __name__ == "__main__":  # a process that helps to verify imports this too
    sys.exit(main())
