"""Level `payload` where no wrapper stands outside: what a view reads of a body, and its answer."""

from typing import Any

from django.http import HttpRequest

from flowaudit import FlowAudit
from flowaudit.capture.facts import Facts
from flowaudit.capture.payload import begin_payload
from flowaudit.capture.streams import Guard, Input

__all__ = ["tap_answer", "tap_request"]


def tap_request(request: HttpRequest, facts: Facts, audit: FlowAudit) -> None:
    """Let the request's body be looked at while the view reads it, where a rule asks for it."""
    payload = begin_payload(audit, facts)
    if payload is None:
        return
    guard = Guard(audit)
    guard(payload.request.set_headers, request.headers.items())
    # Django has made its stream of the server's by now: it is the request's own, and each
    # request has another
    stream = getattr(request, "_stream", None)
    if stream is not None:
        request._stream = Input(stream, payload.request, guard)


def tap_answer(response: Any, facts: Facts) -> None:
    """Look at an answer; the blocks of a streamed one pass later (`streams.py`)."""
    if facts.payload is None:
        return
    body = facts.payload.response
    body.set_headers(response.items())
    if not response.streaming:
        body.take(response.content)
        body.is_whole = True
    elif getattr(response, "file_to_stream", None) is not None:
        body.is_file = True
