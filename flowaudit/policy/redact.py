"""Redaction by allow-list: what of a request's text may be kept, and what is masked in it.

Nothing of a query is kept unless its key is named. In paths, referers, user agents and request
ids, whatever looks like a secret gives way to a mark that says what stood there.
"""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

from ..event import clean_text

__all__ = [
    "MAX_AGENT",
    "MAX_PATH",
    "clean_host",
    "clean_request_id",
    "clean_trace_id",
    "mask",
    "redact_agent",
    "redact_path",
    "redact_query",
    "redact_referer",
]

MAX_PATH: Final = 4_096
"""Characters kept of a path or referer: beyond any link a person follows."""

MAX_HOST: Final = 300
"""Characters kept of a referer's host and port."""

MAX_AGENT: Final = 512
"""Characters kept of a User-Agent."""

MIN_TOKEN: Final = 20
"""Characters from which on a run of mixed classes is taken for a token; 16 if it has all three."""

SLASHED_TOKEN: Final = 40
"""Characters of a token in base 64 with its slashes, as AWS's secret access keys are."""

MAX_QUERY: Final = 2_048
"""Characters kept of the allow-listed part of a query."""

_PLAIN: Final = re.compile(
    r"(?:[/._-]*(?:[A-Z]?[a-z]{1,20}|[A-Z]{1,20}|[0-9]{1,10})(?=[/._-]|\Z))*[/._-]*"
)
"""Paths of short words and short numbers, by far the most: nothing in them can be a secret."""

_LONG: Final = re.compile(r"[\w.+=~$-]{12}")
"""Without so long a run there is no token."""

_DIGITS: Final = re.compile(r"(?:[0-9][^0-9]{0,3}){13}")
"""Without thirteen digits close to each other there is no card number."""

_BEARER_WORD: Final = re.compile(r"[bB](?:[eE][aA][rR][eE][rR]|[aA][sS][iI][cC])")

_JWT: Final = re.compile(r"eyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?")
_EMAIL: Final = re.compile(
    r"[^\s/@:;,<>()\[\]\"'=&?]{1,64}(?:@|%(?:25)*40)"
    r"(?:[A-Za-z0-9\x80-\U0010ffff-]|%(?:25)*[89A-Fa-f][0-9A-Fa-f])+"
    r"(?:\.(?:[A-Za-z0-9\x80-\U0010ffff-]|%(?:25)*[89A-Fa-f][0-9A-Fa-f])+)+"
)
"""Local part and domain may be international (RFC 6531), as they are or percent-encoded."""
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_CARD: Final = re.compile(
    _UUID.pattern + r"|(?<![0-9])[0-9](?:(?:[ +._-]|%20|%2[dD])?[0-9]){12,18}(?![0-9])"
)
"""A UUID is matched so that the digits inside it are passed over."""
_GROUP: Final = re.compile(r"(?<!%)(?<!%2)[0-9]+")
"""Digits of a card between its separators, which may be percent-encoded."""

_ISSUER: Final = re.compile(
    r"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})|5[0-9]{15}|2[2-7][0-9]{14}|3[47][0-9]{13}"
    r"|3[0689][0-9]{12}|35[0-9]{14}|6[0-9]{12,18}"
)
"""Visa; Mastercard and Maestro; American Express; Diners; JCB; Discover, UnionPay, Maestro."""

_KNOWN_TOKEN: Final = re.compile(
    r"(?:sk|pk|rk|whsec)[_-](?:live|test|proj)[\w-]{8,}|sk-[\w-]{16,}|whsec_\w{8,}"
    r"|gh[pousr]_\w{16,}|github_pat_\w{16,}|glpat-[\w-]{12,}|xox[abeprs]-[\w-]{8,}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{12,}|AIza[\w-]{20,}|ya29\.[\w-]{10,}|npm_\w{20,}|pypi-[\w-]{20,}"
    r"|SG\.[\w-]{10,}\.[\w-]{10,}|hf_\w{16,}|dop_v1_\w{16,}|shp(?:at|ca|pa|ss)_\w{16,}"
    r"|EAA[A-Za-z0-9]{20,}|\$2[aby]\$\d\d\$[./\w]{20,}"
)
_RUN: Final = re.compile(r"[A-Za-z0-9+=_~-]{16,}")
_SLASHED: Final = re.compile(r"(?<![A-Za-z0-9+/._~%-])[A-Za-z0-9+/]{40,}(?![._~%-])")
_HEX: Final = re.compile(r"(?=[0-9]{0,23}[a-fA-F])(?=[a-fA-F]{0,23}[0-9])[0-9a-fA-F]{24,}")
_CHANGE: Final = re.compile(
    r"(?<=[a-z])[A-Z]|(?<=[A-Z][A-Z])[a-z]|(?<=[a-zA-Z])[0-9]|(?<=[0-9])[a-zA-Z]"
)
_CLASSES: Final = (str.isdigit, str.isupper, str.islower)
_KEY_VALUE: Final = re.compile(
    r"(?i)\b(pass(?:word|wd)?|pwd|secret|token|api[_-]?key|session(?:id)?|auth|sig(?:nature)?"
    r"|credential|jsessionid|phpsessid|sid|code|otp|pin)(=|:|%3[aAdD])([^\s/&;,)]+)"
)
_BEARER: Final = re.compile(r"(?i)\b(bearer|basic)(?:\s|%20|\+)+[\w+/=.~-]{6,}")
_USERINFO: Final = re.compile(
    r"(?<=//)[^\s/@?#]+@"
    r"|(?i:(?:(?<=//)|(?<=%2f%2f))(?:(?!%2f|%3f|%23|%40)[^\s/@?#&]){1,200}%40)"
)
"""Between `//` and `@`, plain or percent-encoded (RFC 3986 §3.2.1): it may hold a password."""

_COMMON_ID: Final = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{1,32}"
)
_is_common_id: Final = _COMMON_ID.fullmatch
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_HOST: Final = re.compile(
    r"[A-Za-z0-9_.-]{1,253}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?"
)
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")


def mask(text: str) -> str:
    """The text with everything that looks like a secret replaced by `[masked:what]`.

    Each pattern is tried only where what it cannot do without is there: most texts have none.
    """
    masked = text
    if _LONG.search(text) is not None:
        masked = _KNOWN_TOKEN.sub("[masked:token]", _JWT.sub("[masked:jwt]", masked))
    if _BEARER_WORD.search(masked) is not None:
        masked = _BEARER.sub(r"\1 [masked:token]", masked)
    if "@" in masked or "%" in masked:
        masked = _EMAIL.sub("[masked:email]", _USERINFO.sub("[masked:login]@", masked))
    if "=" in masked or ":" in masked or "%" in masked:
        masked = _KEY_VALUE.sub(r"\1\2[masked:value]", masked)
    if "/" in masked and len(masked) >= SLASHED_TOKEN:
        masked = _SLASHED.sub(_mask_slashed, masked)
    if _LONG.search(masked) is not None:
        masked = _RUN.sub(_mask_run, masked)
    return _CARD.sub(_mask_card, masked) if _DIGITS.search(masked) is not None else masked


def redact_path(raw: str) -> str:
    """A path as sent, bounded, with secrets masked; also those that percent-encoding hides."""
    if len(raw) <= MAX_PATH and _PLAIN.fullmatch(raw) and not _CARD.search(raw):
        return raw
    masked = "/".join(_redact_segment(part) for part in clean_text(raw, MAX_PATH).split("/"))
    return mask(masked)


def redact_query(raw: str, keys: frozenset[str]) -> str | None:
    """The allow-listed `keys` of a query as sent, their values masked; `None` if none is there."""
    if not keys or not raw:
        return None
    kept = [
        f"{name}={mask(_redact_segment(value))}" if sep else name
        for name, sep, value in _pairs(raw)
        if unquote(name) in keys
    ]
    return clean_text("&".join(kept), MAX_QUERY) or None


def redact_referer(raw: str) -> str | None:
    """A referer without its query and fragment, bounded, with secrets masked."""
    cut = re.split(r"[?#]", raw, maxsplit=1)[0]
    if not cut:
        return None
    scheme, sep, rest = cut.partition("://")
    if not sep:
        return redact_path(cut)
    host, slash, path = rest.partition("/")
    if "@" in host:
        host = f"[masked:login]@{host.rpartition('@')[2]}"  # RFC 3986 §3.2.1: may hold a password
    kept = f"{scheme[:20]}://{clean_text(host, MAX_HOST)}"
    return mask(kept) + redact_path(slash + path) if slash else mask(kept)


def redact_agent(raw: str) -> str | None:
    """A User-Agent, bounded, with secrets masked; `None` if it is empty."""
    return mask(clean_text(raw, MAX_AGENT)) or None


def clean_request_id(raw: str) -> str | None:
    """A request id of fixed shape that does not look like a secret, else `None`.

    Ids in the form of a UUID or of up to 32 hexadecimal digits pass whole; anything else must
    stay as it is under `mask`.
    """
    if _is_common_id(raw) is not None and not raw.isdigit():
        return raw
    return raw if _REQUEST_ID.fullmatch(raw) and mask(raw) == raw else None


def clean_trace_id(traceparent: str) -> str | None:
    """The trace id of a W3C `traceparent`, else `None` (Trace Context §3.2.2)."""
    match = _TRACEPARENT.fullmatch(traceparent)
    if match is None or match[1] == "0" * 32 or traceparent.startswith("ff"):
        return None
    return match[1]


def clean_host(raw: str) -> str | None:
    """A `Host` header of valid shape that does not look like a secret, lower-cased, else `None`."""
    return raw.lower() if _HOST.fullmatch(raw) and mask(raw) == raw else None


def _pairs(raw: str) -> Iterator[tuple[str, str, str]]:
    for part in raw.split("&"):
        yield part.partition("=")


def _redact_segment(segment: str) -> str:
    """One path segment: masked whole if a secret shows only after decoding (at most twice)."""
    if "%" in segment:
        once = unquote(segment)
        for decoded in (once, unquote(once)):
            if mask(decoded) != decoded and mask(segment) == segment:
                return "[masked:encoded]"
            if _SLASHED.sub(_mask_slashed, decoded) != decoded:
                return "[masked:encoded]"
    return segment


def _mask_card(match: re.Match[str]) -> str:
    """Digits as a card has them, in whole groups of the digits found; all else as it was."""
    if _UUID.fullmatch(match[0]):
        return match[0]
    groups = [(g.start(), g.end(), g[0]) for g in _GROUP.finditer(match[0])]
    for i in range(len(groups)):
        for j in range(len(groups), i, -1):
            if _is_card("".join(digits for *_, digits in groups[i:j])):
                start, end = groups[i][0], groups[j - 1][1]
                return f"{match[0][:start]}[masked:card]{match[0][end:]}"
    return match[0]


def _is_card(digits: str) -> bool:
    """Length and first digits as an issuer's, and the check digit right (ISO/IEC 7812-1)."""
    return bool(_ISSUER.fullmatch(digits)) and _luhn([int(digit) for digit in digits])


def _luhn(digits: list[int]) -> bool:
    """The check of ISO/IEC 7812-1, annex B."""
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _mask_run(match: re.Match[str]) -> str:
    run = match[0]
    return "[masked:token]" if not _UUID.fullmatch(run) and _looks_random(run) else run


def _mask_slashed(match: re.Match[str]) -> str:
    """A token with slashes in it, where it fills whole segments of a path, gives way."""
    run, kept, at = match[0], [], 0
    place = 0
    while place + SLASHED_TOKEN <= len(run):
        end = place + SLASHED_TOKEN
        if run[end : end + 1] in ("", "/") and _is_slashed_token(run[place:end]):
            kept += [run[at:place], "[masked:token]"]
            place = at = end
        place = run.find("/", place) + 1 or len(run)
    return "".join([*kept, run[at:]])


def _is_slashed_token(text: str) -> bool:
    """Whether 40 characters are random: a class changes, within segments, at one place in five."""
    if "/" not in text or not all(any(map(test, text)) for test in _CLASSES):
        return False
    return 5 * len(_CHANGE.findall(text)) > len(text) - text.count("/")


def _looks_random(run: str) -> bool:
    """Whether a run of letters, digits and separators is a token and not words, names or dates.

    What tells them apart is how often the class of characters changes: in a random token of
    base 62 at 45 of 100 places, of base 16 at 47, in CamelCase or `python3-on-debian12` at fewer
    than 20. A change to lower case after one capital is how words begin, and not counted.
    """
    if _HEX.search(run):
        return True
    changes = len(_CHANGE.findall(run))
    has_digit, has_upper, has_lower = (any(map(test, run)) for test in _CLASSES)
    if has_digit and has_upper and has_lower and 3 * changes >= len(run):
        return True
    return len(run) >= MIN_TOKEN and (6 if has_digit else 5) * changes > len(run)
