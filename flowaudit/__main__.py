"""`python -m flowaudit`."""

import sys

from .cli import main

sys.exit(main())
