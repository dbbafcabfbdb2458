"""Run every benchmark: `make bench`."""

import platform
from importlib import metadata

from . import capture, importing, reading

NAMED = (
    "flowaudit",
    "starlette",
    "werkzeug",
    "uvicorn",
    "duckdb",
    "opentelemetry-sdk",
    "sentry-sdk",
)


def main() -> None:
    """Print where this runs, then each benchmark."""
    print(f"Python {platform.python_version()} on {platform.system()} {platform.machine()}")
    for name in NAMED:
        try:
            print(f"  {name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            print(f"  {name} is not installed")
    for benchmark in (capture, reading, importing):
        print()
        benchmark.main()


main()
