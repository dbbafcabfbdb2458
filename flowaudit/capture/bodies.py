"""A request's and its answer's body on their way: held within a bound, and told once.

Nothing is parsed while bytes pass. What may be kept of them is for `policy/payload.py` to say.
"""

import re
import zlib
from collections.abc import Iterable
from typing import Final

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio import multipart

from ..event import Value
from ..policy.named import Named, Part
from ..policy.payload import (
    Described,
    Field,
    describe_form,
    describe_json,
    keep_header,
    parse_form,
)
from ..policy.redact import mask

__all__ = ["Body", "Payload"]

AT_ONCE_BYTES: Final = 4_096
"""A body up to this is looked at in well under a millisecond, so also on an event loop."""

MAX_PARTS: Final = 200
"""Parts of a multipart form; one with more is not looked at."""

MAX_TYPE: Final = 100
"""Characters of a content type: longer ones are told as `other`."""

_MEDIA_TYPE: Final = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+")
_ZIPPED: Final = frozenset(["deflate", "gzip", "x-gzip"])
_ZLIB_OR_GZIP: Final = 47
"""`wbits` for zlib: the header says which of the two it is."""

Headers = Iterable[tuple[str | bytes, str | bytes]]


class Body:
    """One direction: counts what passes, and holds it as long as it is within the bound."""

    __slots__ = ("_chunks", "_limit", "headers", "is_file", "is_whole", "size")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._chunks: list[bytes] | None = []
        self.headers: list[tuple[str, str]] = []
        """Names in small letters."""
        self.size = 0
        self.is_whole = False
        """Whether its end has been seen."""
        self.is_file = False
        """Whether the server sends a file by itself."""

    @property
    def is_held(self) -> bool:
        """Whether all of it that passed so far is at hand."""
        return self._chunks is not None

    def set_headers(self, headers: Headers) -> None:
        """The headers that it comes with."""
        self.headers = [(_text(name).lower(), _text(value)) for name, value in headers]

    def take(self, data: bytes) -> None:
        """Some bytes have passed."""
        self.size += len(data)
        if self._chunks is not None:
            if self.size > self._limit:
                self._chunks = None
            elif data:
                self._chunks.append(bytes(data))

    def begin_anew(self) -> None:
        """The reader has gone back to the start."""
        self._chunks, self.size = [], 0

    def lose_track(self) -> None:
        """The reader has gone elsewhere: what follows does not join what passed."""
        self._chunks = None

    def let_go(self) -> None:
        """Hold nothing of it, now or later."""
        self._chunks, self._limit, self.headers = None, 0, []

    def header(self, name: str) -> str:
        """A header's value; those that stand several times are joined (RFC 9110 §5.3)."""
        return ", ".join(value for each, value in self.headers if each == name)

    def told(self, part: Part, limit: int) -> dict[str, Value]:
        """What may be kept of it, for the event."""
        told: dict[str, Value] = {}
        content_type, options = parse_options_header(self.header("content-type"))
        if content_type:
            told["type"] = _shown_type(content_type)
        if self.size:
            told["bytes"] = self.size
        kept = {name: keep_header(name, self.header(name)) for name in part.headers}
        headers: dict[str, Value] = {name: value for name, value in kept.items() if value}
        if headers:
            told["headers"] = headers
        return told | self._look(content_type.lower(), options.get("boundary", ""), part, limit)

    def _look(self, content_type: str, boundary: str, part: Part, limit: int) -> Described:
        if self.is_file:
            return {"skipped": "file"}
        length = self.header("content-length")
        expected = int(length) if length.isdecimal() and len(length) < 16 else None
        if not self.size:
            return {"skipped": "not-whole"} if expected and not self.is_whole else {}
        if self.size > min(limit, self._limit):
            return {"skipped": "too-large"}
        is_short = not self.is_whole and (expected is None or self.size < expected)
        if self._chunks is None or is_short:
            return {"skipped": "not-whole"}
        if not _is_looked_at(content_type):
            return {}
        body = self._plain(b"".join(self._chunks), limit)
        if isinstance(body, str):
            return {"skipped": body}
        if content_type == "application/x-www-form-urlencoded":
            fields = parse_form(body)
        elif content_type == "multipart/form-data":
            fields = _multipart_fields(body, boundary)
        else:
            return describe_json(body, part.json)
        return {"skipped": fields} if isinstance(fields, str) else describe_form(fields, part.form)

    def _plain(self, body: bytes, limit: int) -> bytes | str:
        """The body without its content coding, or why that is not had."""
        coding = self.header("content-encoding").strip().lower()
        if coding in ("", "identity"):
            return body
        if coding not in _ZIPPED:
            return "compressed"
        try:
            unpacked = zlib.decompressobj(_ZLIB_OR_GZIP).decompress(body, limit + 1)
        except zlib.error:
            return "compressed"
        return unpacked if len(unpacked) <= limit else "too-large"


class Payload:
    """Both bodies of one exchange, from before its handler runs until its event is made."""

    __slots__ = ("is_told", "is_unseen", "named", "request", "response")

    def __init__(self, limit: int) -> None:
        self.request = Body(limit)
        self.response = Body(limit)
        self.is_told = False
        self.is_unseen = False
        """Whether nothing stood where it could look at the bodies."""
        self.named: Named | None = None
        """What the rule that decided names; set when the event is about to be made."""

    @property
    def is_big(self) -> bool:
        """Whether looking at it takes long for an event loop."""
        return any(
            body.is_held and body.size > AT_ONCE_BYTES for body in (self.request, self.response)
        )

    def told(self) -> dict[str, Value]:
        """`request` and `response` for the event's `data`, once; what was held is let go."""
        named = self.named
        if named is None or self.is_told:
            return {}
        self.is_told = True
        if self.is_unseen:
            return {"request": {"skipped": "not-seen"}, "response": {"skipped": "not-seen"}}
        told = {
            "request": self.request.told(named.request, named.max_bytes),
            "response": self.response.told(named.response, named.max_bytes),
        }
        self.let_go()
        return {name: value for name, value in told.items() if value}

    def let_go(self) -> None:
        """Hold nothing any more."""
        self.request.let_go()
        self.response.let_go()


def _text(raw: str | bytes) -> str:
    return raw.decode("latin-1") if isinstance(raw, bytes) else raw


def _is_looked_at(content_type: str) -> bool:
    return (
        content_type in ("application/json", "application/x-www-form-urlencoded")
        or content_type == "multipart/form-data"
        or content_type.endswith("+json")
    )


def _shown_type(content_type: str) -> str:
    shown = content_type.lower()
    if len(shown) > MAX_TYPE or not _MEDIA_TYPE.fullmatch(shown) or mask(shown) != shown:
        return "other"
    return shown


def _multipart_fields(body: bytes, boundary: str) -> list[Field] | str:
    """The fields of a multipart form (RFC 7578), or why they are not had."""
    fields: list[Field] = []
    value: list[bytes] = []
    try:
        decoder = multipart.MultipartDecoder(boundary.encode("latin-1"), max_parts=MAX_PARTS)
        decoder.receive_data(body)
        decoder.receive_data(None)
        part: multipart.Field | multipart.File | None = None
        while not isinstance(event := decoder.next_event(), multipart.Epilogue):
            if isinstance(event, (multipart.Field, multipart.File)):
                part, value = event, []
            elif isinstance(event, multipart.Data) and part is not None:
                value.append(event.data)
                if not event.more_data:
                    fields.append(_field(part, b"".join(value)))
    except RequestEntityTooLarge:
        return "too-many"
    except ValueError:
        return "broken"
    return fields


def _field(part: "multipart.Field | multipart.File", data: bytes) -> Field:
    name = part.name or ""
    if isinstance(part, multipart.File):
        return Field(name, None, len(data))
    text = data.decode("utf-8", "replace")
    return Field(name, text, len(text))
