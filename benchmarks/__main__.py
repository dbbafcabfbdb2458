"""Run every benchmark: `make bench`."""

import platform
from importlib import metadata

from . import archive, capture, frameworks, importing, memory, postgres, reading, trail, wire

NAMED = (
    "flowaudit",
    "starlette",
    "fastapi",
    "django",
    "werkzeug",
    "uvicorn",
    "duckdb",
    "psycopg",
    "opentelemetry-sdk",
    "sentry-sdk",
    "django-structlog",
    "django-easy-audit",
    "httptools",
    "uvloop",
)


def main() -> None:
    """Print where this runs, then each benchmark."""
    print(f"Python {platform.python_version()} on {platform.system()} {platform.machine()}")
    for name in NAMED:
        try:
            print(f"  {name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            print(f"  {name} is not installed")
    parts = (capture, frameworks, wire, trail, memory, reading, importing, postgres, archive)
    for benchmark in parts:
        print()
        benchmark.main()


main()
