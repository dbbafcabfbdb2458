"""How many requests the web server's own access log has of a span, to hold a statement against."""

from pathlib import Path

from ..errors import ImportFormatError
from ..journeys.importers import probe_format
from ..journeys.lines import lines_of, open_log, survey
from ..journeys.loglines import LogLines
from .statement import Span

__all__ = ["requests_served"]


def requests_served(log: Path, span: Span) -> tuple[int, int]:
    """How many lines of an access log (combined or common, plain or gzip) are of this span, and how
    many of all its lines can't be read.

    Such a log has whole seconds and is written when a request ends, the trail has its begin.
    Raises `ImportFormatError` if it is no such log.
    """
    with open_log(log) as file:
        content = survey(file)
        form = probe_format(file, content)
        if form == "events":
            raise ImportFormatError(f"{log} is no access log of a web server")
        lines = LogLines(form, redact=False, token=str)
        served = read = unread = 0
        for line in lines_of(file, content.size_bytes):
            if line is not None and not line.strip():
                continue
            ts = lines.time(line) if line is not None else None
            if ts is None:
                unread += 1
            else:
                read += 1
                served += span.has(ts)
        if unread and not read:
            raise ImportFormatError(f"{log} is no access log in the combined or common format")
        return served, unread
