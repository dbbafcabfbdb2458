"""Planted secrets: none is found in trail, spool, vault's log side or our own log."""

import logging
import secrets
import sqlite3
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import flowaudit
from flowaudit import FlowAudit

from ..capture.test_asgi import BODY, START, call, scope

RNG_WORDS = ["correct-horse-battery", "hunter2", "Tr0ub4dor&3", "pa55word!", "s3cr3t-Phrase"]


def luhn(prefix: str) -> str:
    digits = [int(c) for c in prefix] + [0]
    total = sum(sum(divmod(d * 2, 10)) if i % 2 else d for i, d in enumerate(reversed(digits)))
    return prefix + str(-total % 10)


def planted() -> list[str]:
    """220 secrets: tokens, keys, JWTs, cards, addresses, session ids."""
    made: list[str] = []
    for i in range(20):
        made += [
            secrets.token_urlsafe(24),
            secrets.token_hex(20),
            f"sk_live_{secrets.token_hex(12)}",
            f"ghp_{secrets.token_urlsafe(24).replace('-', 'x').replace('_', 'y')}",
            f"AKIA{secrets.token_hex(8).upper()}",
            f"eyJ{secrets.token_urlsafe(16)}.eyJ{secrets.token_urlsafe(24)}.{secrets.token_urlsafe(24)}",
            luhn(f"4{secrets.randbelow(10**14):014d}"),
            f"person{i}@mail{i}.example.org",
            f"xoxb-{secrets.randbelow(10**11)}-{secrets.token_hex(12)}",
            secrets.token_hex(32),
            f"glpat-{secrets.token_urlsafe(16)}",
        ]
    return made


def everything_written(folder: Path) -> bytes:
    db = sqlite3.connect(folder / "t.db")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return b"".join(
        path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".vault" not in path.name
    )


def places(secret: str) -> list[dict[str, Any]]:
    raw = secret.encode()
    head = [(b"user-agent", b"test"), (b"accept", b"*/*")]
    return [
        {"raw_path": b"/reset/" + raw + b"/"},
        {"raw_path": b"/x;sid=" + raw},
        {"query_string": b"token=" + raw + b"&page=2"},
        {"headers": [*head, (b"authorization", b"Bearer " + raw)]},
        {"headers": [*head, (b"cookie", b"sid=" + raw + b"; other=" + raw)]},
        {"headers": [*head, (b"referer", b"https://example.org/r/" + raw + b"?t=" + raw)]},
        {"headers": [(b"user-agent", b"Mozilla/5.0 (" + raw + b")"), (b"accept", b"*/*")]},
        {"headers": [*head, (b"x-api-key", raw), (b"x-request-id", raw)]},
        {"headers": [*head, (b"host", raw), (b"origin", raw), (b"traceparent", raw)]},
        {"headers": [*head, (b"x-forwarded-for", raw), (b"x-original-url", b"/a/" + raw)]},
    ]


def test_none_is_found_under_the_default_policy(
    make_audit: Callable[..., FlowAudit],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    audit = make_audit(session_cookie=["sid"], query_keys=["page"], trusted_proxies=1)
    secret_list = planted()
    assert len(secret_list) >= 200

    async def app(scope: Any, receive: Any, send: Any) -> None:
        secret = scope["secret"]
        await receive()
        flowaudit.identify(f"user:{secret}")
        flowaudit.login(f"user:{secret}", name=secret)
        flowaudit.login_failed(secret, known=False)
        start = {**START, "headers": [(b"set-cookie", b"sid=" + secret.encode())]}
        await send(start)
        await send(BODY)

    wrapped = audit.asgi(app)
    for secret in secret_list:
        for place in places(secret):
            body = [{"type": "http.request", "body": secret.encode(), "more_body": False}]
            call(wrapped, scope(**place, secret=secret), body)
    audit.flush()
    spooled_and_committed = everything_written(tmp_path)
    audit.close()
    for written in (spooled_and_committed, everything_written(tmp_path)):
        leaked = [secret for secret in secret_list if secret.encode() in written]
        assert not leaked, leaked[:5]
    said = caplog.text + "".join(capfd.readouterr())
    assert not [secret for secret in secret_list if secret in said]


@pytest.mark.parametrize("word", RNG_WORDS)
def test_a_password_in_a_form_or_header_is_never_recorded(
    audit: FlowAudit, tmp_path: Path, word: str
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(START)
        await send(BODY)

    one = scope(
        method="POST",
        query_string=f"password={word}".encode(),
        headers=[
            (b"authorization", f"Basic {word}".encode()),
            (b"x-request-id", str(uuid.uuid4()).encode()),
            (b"referer", f"https://ann:{word}@example.org/login?pw={word}".encode()),
        ],
    )
    body = [{"type": "http.request", "body": f"user=ann&pw={word}".encode(), "more_body": False}]
    call(audit.asgi(app), one, body)
    audit.close()
    assert word.encode() not in everything_written(tmp_path)
