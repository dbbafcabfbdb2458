"""The beacon's routes under Django's middleware, which stands before every view."""

from django.http import HttpRequest, HttpResponse

from flowaudit.capture.beacon import MAX_BODY, Beacon, Reply

__all__ = ["beacon_reply", "beacon_response"]


def beacon_reply(beacon: Beacon, request: HttpRequest) -> Reply:
    """What the beacon answers to one of its two paths, and what the request becomes."""

    def header(name: str) -> str:
        return str(request.headers.get(name) or "")

    reply = beacon.refuses(request.path_info, request.method or "", header)
    return beacon.take(_read(request)) if reply is None else reply


def beacon_response(reply: Reply) -> HttpResponse:
    """The reply as Django's response, with no header but its own."""
    response = HttpResponse(reply.body, status=reply.status)
    del response["Content-Type"]
    for name, value in reply.headers:
        response[name] = value
    return response


def _read(request: HttpRequest) -> bytes | None:
    """The body, or a little more than may be; `None` if it cannot be read."""
    try:
        body: bytes = request.read(MAX_BODY + 1)
    except Exception:  # servers differ in what they raise when a client has left
        return None
    return body
