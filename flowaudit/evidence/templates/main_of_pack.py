"""Runs verify.py on the pack itself: `python3 case.zip`."""

import sys

import verify  # type: ignore[import-not-found]

sys.exit(verify.main(sys.argv[1:] if len(sys.argv) > 1 else [sys.argv[0]]))
