"""The command `flowaudit`: one file a command; what they share is in `options` and `output`.

In: a command line. Out: text, JSON or CSV, and an exit status: 0 done, 1 something was found that
should not be, 2 the command could not be carried out.
"""

from .main import main

__all__ = ["main"]
