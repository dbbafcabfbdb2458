"""What is odd about a request's path and query, as flags, so that neither need be kept.

Each class is one pattern over the text as sent, decoded once, and decoded twice; what shows only
after the second decoding also earns `double-encoded`. The classes are those of the detection
`injection-probe`. This is what attackers write: no pattern takes more time than in proportion.
"""

import re
from typing import Final
from urllib.parse import unquote_plus

__all__ = ["attack_flags"]

MAX_LOOK: Final = 8_192
"""Characters of path and query that are looked at: what is longer is refused by servers."""

_SUSPECT: Final = re.compile(
    r"[%<>'\"`;|${}()\\\x00\r\n]|\.\.|://|--|/etc/|/proc/|win\.ini|(?i:data:|union[+ ])"
)
"""A text without any of these can match no class."""

_CLASSES: Final[tuple[tuple[str, re.Pattern[str]], ...]] = tuple(
    (flag, re.compile(pattern, re.IGNORECASE | re.DOTALL))
    for flag, pattern in (
        ("traversal", r"(?:^|[/\\=?&])\.\.(?:;|)(?:[/\\]|$)|\.\.;/"),
        (
            "os-file",
            r"/etc/(?:passwd|shadow|hosts|group)\b|\bwin\.ini\b|\bboot\.ini\b"
            r"|/proc/(?:self|\d+)/|/windows/system32",
        ),
        ("null-byte", r"\x00"),
        ("crlf", r"[\r\n][ \t]{0,8}[\w-]{1,40}[ \t]{0,8}:|\r\n"),
        (
            "sqli",
            r"\bunion\b(?:\s|/\*[^*]{0,99}\*/){1,99}+(?:all(?:\s|/\*[^*]{0,99}\*/){1,99}+)?select\b"
            r"(?=.{0,300}?(?:\bfrom\b|null|\d|--|,))"
            r"|['\"`]\s*(?:or|and)\s+['\"`]?[\w.]+['\"`]?\s*(?:=|<|>|like\b)"
            r"|\b(?:or|and)\s+(\d+)\s*=\s*\1\b|;\s*(?:drop|delete|insert|update|exec|shutdown)\s"
            r"|\b(?:sleep|benchmark|pg_sleep|waitfor\s+delay)\s*[\(']|['\"]\s*(?:--|#|/\*)"
            r"|\bxp_cmdshell\b|\binformation_schema\b",
        ),
        (
            "xss",
            r"<\s*script\b|\bon(?:error|load|click|mouseover|focus|toggle)\s*=|javascript\s*:"
            r"|<\s*(?:svg|img|iframe|object|embed)\b[^>]{0,200}(?:on\w{1,30}|src|data)\s*=",
        ),
        (
            "template",
            r"\{\{[^{}]{0,200}?[*+/()\-|][^{}]{0,200}\}\}|\$\{(?!jndi)[^{}]{0,200}?[*+/()][^{}]{0,200}\}|<%="
            r"|#\{[^{}]{0,200}?[*+/()][^{}]{0,200}\}",
        ),
        ("lookup", r"\$\{(?:jndi|\$\{|lower:|upper:|env:|sys:|::-)"),
        (
            "command",
            r"[;|&]\s*(?:id|cat|ls|whoami|uname|wget|curl|nc|bash|sh|ping|powershell|sleep)\b"
            r"(?:\s|$|[;|&/])|`[^`]+`|\$\([^)]{1,300}\)",
        ),
        ("php-wrapper", r"=\s*(?:php|phar|expect|zip)://|=\s*data:text"),
        (
            "ssrf",
            r"=\s*(?:https?://(?:169\.254\.169\.254|metadata\.google|127\.|localhost\b|0\.0\.0\.0|\[::1)"
            r"|(?:file|gopher|dict)://)",
        ),
    )
)


def attack_flags(path: str, query: str) -> tuple[str, ...]:
    """Flags of the classes of attack text found in a path and query, in alphabetical order."""
    text = f"{path}?{query}" if query else path
    if _SUSPECT.search(text) is None:
        return ()
    return _flags(text[:MAX_LOOK])


def _flags(text: str) -> tuple[str, ...]:
    once = unquote_plus(text, errors="replace")
    twice = unquote_plus(once, errors="replace")
    found = {flag for flag, pattern in _CLASSES if pattern.search(text) or pattern.search(once)}
    if twice != once:
        deep = {flag for flag, pattern in _CLASSES if pattern.search(twice)} - found
        if deep:
            found |= deep | {"double-encoded"}
    return tuple(sorted(found))
