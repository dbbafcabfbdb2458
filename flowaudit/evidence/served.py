"""How many requests the web server's own access log has of a span, to hold a statement against."""

from pathlib import Path

from ..errors import ImportFormatError
from ..journeys.importers import probe_format
from ..journeys.lines import lines_of, open_log, survey
from ..journeys.loglines import LogLines
from .statement import Span

__all__ = ["requests_served"]


def requests_served(log: Path, span: Span) -> int:
    """How many lines of an access log (combined or common, plain or gzip) are of this span.

    Such a log has whole seconds and is written when a request ends, the trail has its begin.
    Raises `ImportFormatError` if it is no such log.
    """
    with open_log(log) as file:
        content = survey(file)
        form = probe_format(file, content)
        if form == "events":
            raise ImportFormatError(f"{log} is no access log of a web server")
        lines = LogLines(form, redact=False, token=str)
        times = (lines.time(line) for line in lines_of(file, content.size_bytes) if line)
        return sum(ts is not None and span.has(ts) for ts in times)
