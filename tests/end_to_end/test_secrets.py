"""Planted secrets: none is found in trail, spool, vault's log side or our own log."""

import gzip
import io
import json
import logging
import secrets
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

import flowaudit
from flowaudit import FlowAudit

from ..capture.asgi_driver import BODY, START, call, scope
from ..capture.test_wsgi import Server, environ

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


PAYLOAD = """
[[policy]]
path = "/**"
level = "payload"
request_json = ["/note", "/customer/email", "/items/*/text", "/deep/0/1/x", "/count"]
request_form = ["title", "note"]
request_headers = ["content-type", "x-note", "referer"]
response_json = ["/message", "/items/*/text"]
response_headers = ["location", "x-note"]
"""
"""Everything that a secret is planted in is named, but what is called like one."""

HEAD = {"user-agent": "test", "accept": "*/*"}


def places(secret: str) -> list[dict[str, Any]]:
    """Requests with a secret in path, query or headers."""
    return [
        {"path": f"/reset/{secret}/"},
        {"path": f"/x;sid={secret}"},
        {"path": "/p", "query": f"token={secret}&page=2"},
        {"headers": HEAD | {"authorization": f"Bearer {secret}"}},
        {"headers": HEAD | {"cookie": f"sid={secret}; other={secret}"}},
        {"headers": HEAD | {"referer": f"https://example.org/r/{secret}?t={secret}"}},
        {"headers": {"user-agent": f"Mozilla/5.0 ({secret})", "accept": "*/*"}},
        {"headers": HEAD | {"x-api-key": secret, "x-request-id": secret, "x-note": secret}},
        {"headers": HEAD | {"host": secret, "origin": secret, "traceparent": secret}},
        {"headers": HEAD | {"x-forwarded-for": secret, "x-original-url": f"/a/{secret}"}},
        {"headers": HEAD | {"forwarded": f"for={secret}", "content-type": f"a/{secret}"}},
    ]


def bodies(secret: str, word: str) -> list[dict[str, Any]]:
    """Requests with a secret in named fields and elsewhere, a password only elsewhere."""
    document = {
        "note": f"it is {secret}, keep it",
        "customer": {"email": secret, "password": word, secret: "as a key"},
        "items": [{"text": secret, "pin": word}, {"text": f"Bearer {secret}"}],
        "deep": [[0, {"x": secret}], word],
        "count": int(secret) if secret.isdigit() else 1,
        "password": word,
    }
    fields = {"title": secret, "note": f"see {secret}", "password": word, "else": secret}
    json_type, parts = {"content-type": "application/json"}, multipart(fields)
    return [
        {"headers": HEAD | json_type, "body": json.dumps(document).encode()},
        {
            "headers": HEAD | json_type | {"content-encoding": "gzip"},
            "body": gzip.compress(json.dumps(document).encode()),
        },
        {"headers": HEAD | json_type, "body": f'{{"note": "{secret}", '.encode()},
        {
            "headers": HEAD | {"content-type": "application/x-www-form-urlencoded"},
            "body": urlencode(fields).encode(),
        },
        {"headers": HEAD | {"content-type": "multipart/form-data; boundary=B"}, "body": parts},
        {"headers": HEAD | {"content-type": "text/plain"}, "body": f"{secret} {word}".encode()},
    ]


def multipart(fields: dict[str, str]) -> bytes:
    head = '--B\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
    parts = [head % (name, "", value) for name, value in fields.items()]
    parts.append(head % ("scan", f'; filename="{fields["else"]}.txt"', fields["else"]))
    return "".join([*parts, "--B--\r\n"]).encode()


def answer(secret: str, word: str) -> tuple[dict[str, str], bytes]:
    """What an app answers: a cookie, a redirect's target, a body, all with secrets."""
    document = {"message": f"welcome {secret}", "items": [{"text": secret}], "password": word}
    headers = {
        "content-type": "application/json",
        "set-cookie": f"sid={secret}",
        "location": f"/r/{secret}?token={secret}",
        "x-note": secret,
    }
    return headers, json.dumps(document).encode()


def act(secret: str) -> None:
    """What an app tells of a request."""
    flowaudit.identify(f"user:{secret}")
    flowaudit.login(f"user:{secret}", name=secret)
    flowaudit.login_failed(secret, known=False)


def over_asgi(audit: FlowAudit, requests: list[dict[str, Any]], secret: str, word: str) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        act(secret)
        headers, body = answer(secret, word)
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({**START, "headers": raw})
        await send({**BODY, "body": body[:9], "more_body": True})
        await send({**BODY, "body": body[9:]})

    wrapped = audit.asgi(app)
    for one in requests:
        headers = [(k.encode(), v.encode()) for k, v in one.get("headers", HEAD).items()]
        raw, query = one.get("path", "/p").encode(), one.get("query", "").encode()
        body = one.get("body", secret.encode())
        incoming = [
            {"type": "http.request", "body": body[:7], "more_body": True},
            {"type": "http.request", "body": body[7:], "more_body": False},
        ]
        target = scope(method="POST", raw_path=raw, query_string=query, headers=headers)
        _, error = call(wrapped, target, incoming)
        assert error is None


def over_wsgi(audit: FlowAudit, requests: list[dict[str, Any]], secret: str, word: str) -> None:
    def app(one: Any, start_response: Any) -> Iterator[bytes]:
        one["wsgi.input"].read(int(one["CONTENT_LENGTH"]))
        act(secret)
        headers, body = answer(secret, word)
        start_response("200 OK", list(headers.items()))
        yield body[:9]
        yield body[9:]

    wrapped = audit.wsgi(app)
    for one in requests:
        headers = one.get("headers", HEAD)
        named = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
        body = one.get("body", secret.encode())
        values = {
            "REQUEST_METHOD": "POST",
            "RAW_URI": one.get("path", "/p"),
            "QUERY_STRING": one.get("query", ""),
            "CONTENT_TYPE": headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
        }
        Server(audit).run(wrapped, environ(**named, **values))


@pytest.mark.parametrize("send", [over_asgi, over_wsgi], ids=["asgi", "wsgi"])
@pytest.mark.parametrize("policy", ["", PAYLOAD], ids=["default", "payload"])
def test_none_is_found_in_what_is_written(
    make_audit: Callable[..., FlowAudit],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    policy: str,
    send: Callable[..., None],
) -> None:
    caplog.set_level(logging.DEBUG)
    file = tmp_path / "policy.toml"
    file.write_text(policy)
    audit = make_audit(session_cookie=["sid"], query_keys=["page"], trusted_proxies=1, policy=file)
    secret_list = planted()
    words = [f"{RNG_WORDS[i % len(RNG_WORDS)]}{i:03d}" for i in range(len(secret_list))]
    assert len(secret_list) >= 200
    for secret, word in zip(secret_list, words, strict=True):
        send(audit, [*places(secret), *bodies(secret, word)], secret, word)
    audit.flush()
    spooled_and_committed = everything_written(tmp_path)
    audit.close()
    assert audit.counters == {"lost": 0, "commit_failed": 0, "capture_failed": 0}
    written = everything_written(tmp_path)
    for seen in (spooled_and_committed, written):
        leaked = [each for each in [*secret_list, *words] if each.encode() in seen]
        assert not leaked, leaked[:5]
    said = caplog.text + "".join(capfd.readouterr())
    assert not [each for each in [*secret_list, *words] if each in said]
    # what is asked for is there, else nothing was looked at
    kept = [b'"/note":"it is [masked:', b'"title":"[masked:', b'"/items/0/text":"[masked:']
    assert [each in written for each in kept] == [bool(policy)] * 3


def test_none_is_found_in_a_report_by_someone_without_the_vault(
    make_audit: Callable[..., FlowAudit],
    tmp_path: Path,
    trail: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("duckdb")
    from flowaudit.cli.main import main

    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.toml").write_text(PAYLOAD)
    audit = make_audit(session_cookie=["sid"], policy=tmp_path / "policy.toml")
    secret_list = planted()
    for i, secret in enumerate(secret_list):
        requests = [*places(secret), *bodies(secret, f"hunter{i:03d}")]
        over_asgi(audit, requests, secret, f"hunter{i:03d}")
    audit.close()
    for part in tmp_path.glob("t.db.vault*"):
        part.unlink()
    page = tmp_path / "page.html"
    assert main(["report", "--trail", str(trail), "-o", str(page)]) == 0
    for command in (["flows", "--by", "path"], ["denied"], ["review"]):
        assert main([*command, "--trail", str(trail), "--format", "json"]) == 0
    shown = page.read_text("utf-8") + "".join(capsys.readouterr())
    assert "masked" in shown
    leaked = [each for each in secret_list if each in shown or escape(each) in shown]
    assert not leaked, leaked[:5]
    assert "hunter" not in shown


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
