"""The beacon, at protocol level, the same under ASGI and WSGI."""

import asyncio
import io
import json
import re

import pytest

from flowaudit.capture.asgi import AsgiCapture
from flowaudit.capture.beacon import BEACON
from flowaudit.capture.wsgi import WsgiCapture

ORIGIN = {"Origin": "http://shop.example", "Content-Type": "text/plain;charset=UTF-8"}
SAME = {**ORIGIN, "Sec-Fetch-Site": "same-origin"}
VIEW = b'{"view":"/products/7"}'
CLICK = b'{"click":"add-to-cart","path":"/products/7"}'


def ask_asgi(audit, method, path, body, headers, root="", enrich=None):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 418, "headers": []})
        await send({"type": "http.response.body", "body": b"app"})

    answer = {"body": b""}
    parts = [body[:5], body[5:]]

    async def receive():
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    async def send(message):
        if message["type"] == "http.response.start":
            answer["status"] = message["status"]
            answer["headers"] = {k.decode(): v.decode() for k, v in message["headers"]}
        else:
            answer["body"] += message["body"]

    sent = {"Host": "shop.example", "User-Agent": "test", "Accept": "*/*", **headers}
    scope = {
        "type": "http",
        "method": method,
        "path": root + path,
        "root_path": root,
        "raw_path": (root + path).encode(),
        "query_string": b"typed=secret",
        "headers": [(k.lower().encode(), v.encode()) for k, v in sent.items()],
        "client": ("192.0.2.1", 1),
    }
    asyncio.run(AsgiCapture(app, audit, enrich)(scope, receive, send))
    return answer


def ask_wsgi(audit, method, path, body, headers, root="", enrich=None):
    def app(environ, start_response):
        start_response("418 I'm a teapot", [])
        return [b"app"]

    answer = {}

    def start_response(status, headers, exc_info=None):
        answer["status"] = int(status[:3])
        answer["headers"] = {name.lower(): value for name, value in headers}

    sent = {"Host": "shop.example", "User-Agent": "test", "Accept": "*/*", **headers}
    environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": root,
        "PATH_INFO": path,
        "QUERY_STRING": "typed=secret",
        "CONTENT_LENGTH": str(len(body)),
        "REMOTE_ADDR": "192.0.2.1",
        "wsgi.input": io.BytesIO(body),
    }
    for name, value in sent.items():
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    result = WsgiCapture(app, audit, enrich)(environ, start_response)
    answer["body"] = b"".join(result)
    if hasattr(result, "close"):
        result.close()
    return answer


@pytest.fixture(params=[ask_asgi, ask_wsgi], ids=["asgi", "wsgi"])
def ask(request, make_audit, events):
    audit = make_audit(beacon="/_flow", session_cookie="sid", query_keys=["typed"])

    def run(method, path="/_flow", body=b"", headers=SAME, **more):
        answer = request.param(audit, method, path, body, headers, **more)
        audit.flush()
        return answer, events()

    return run


def test_a_view_becomes_a_page_and_nothing_else(ask):
    answer, told = ask("POST", body=VIEW)
    assert (answer["status"], answer["body"]) == (204, b"")
    assert "set-cookie" not in answer["headers"]
    [event] = told
    wanted = {
        "kind": "request",
        "method": "GET",
        "status": 200,
        "nav": "page",
        "path": "/products/7",
        "outcome": "ok",
        "resource": BEACON,
    }
    assert {name: event.get(name) for name in wanted} == wanted
    assert not {"route", "query", "data", "resource_id"} & event.keys()


def test_a_click_becomes_a_step(ask):
    answer, [event] = ask("POST", body=CLICK)
    assert answer["status"] == 204
    wanted = {
        "kind": "request",
        "method": "POST",
        "status": 204,
        "route": "click:add-to-cart",
        "path": "/products/7",
        "outcome": "ok",
        "resource": BEACON,
    }
    assert {name: event.get(name) for name in wanted} == wanted
    assert not {"query", "data"} & event.keys()


def test_it_is_who_the_request_is(ask):
    def enrich(scope, facts):
        facts.user, facts.route = "user:ann", "/never"

    _, [event] = ask("POST", body=VIEW, headers={**SAME, "Cookie": "sid=abc"}, enrich=enrich)
    assert {"actor", "session"} <= event.keys()
    assert (event["actor_kind"], event.get("route")) == ("user", None)


def test_a_fault_of_an_adapter_does_not_change_what_it_becomes(ask):
    def enrich(scope, facts):
        raise LookupError

    _, [event] = ask("POST", body=VIEW, enrich=enrich)
    assert event["path"] == "/products/7"


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        (
            "/reset/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abcDEF123",
            "/reset/[masked:jwt]",
        ),
        ("/users/ann@example.org", "/users/[masked:email]"),
        ("/search?typed=secret", "/search"),
        ("/search#secret", "/search"),
    ],
    ids=["jwt", "e-mail", "query", "fragment"],
)
def test_a_path_is_redacted_like_any_other(ask, told, kept):
    _, [event] = ask("POST", body=json.dumps({"view": told}).encode())
    assert event["path"] == kept
    assert "secret" not in json.dumps(event)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"7",
        b"{}",
        b"\xff\xfe",
        b'{"view":7}',
        b'{"view":null}',
        b'{"view":"products"}',
        b'{"view":"//' + b"x" * 1_100 + b'"}',
        b'{"view":"/a b"}',
        '{"view":"/é"}'.encode(),
        b'{"view":"/a\\n"}',
        b'{"view":"/a","path":"/b"}',
        b'{"view":"/a","click":"b"}',
        b'{"view":"/a","typed":"secret"}',
        b'{"click":"pay"}',
        b'{"click":"","path":"/a"}',
        b'{"click":"two words","path":"/a"}',
        b'{"click":"' + b"x" * 41 + b'","path":"/a"}',
        b'{"view":"/a"' + b" " * 2_048 + b"}",
        b"[" * 2_000,
    ],
    ids=lambda body: ascii(body[:24]),
)
def test_a_bad_body_is_400_and_one_ordinary_event(ask, body):
    answer, [event] = ask("POST", body=body)
    assert answer["status"] == 400
    wanted = {"method": "POST", "status": 400, "route": "/_flow", "path": "/_flow"}
    assert {name: event.get(name) for name in wanted} == wanted
    assert (event["outcome"], event["reason"]) == ("invalid", "bad-request")
    assert "resource" not in event


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param(SAME, 204, id="same-origin"),
        pytest.param({**SAME, "Content-Type": "application/json"}, 204, id="json"),
        pytest.param(ORIGIN, 204, id="origin-alone"),
        pytest.param({**ORIGIN, "Sec-Fetch-Site": "same-site"}, 403, id="same-site"),
        pytest.param({**ORIGIN, "Sec-Fetch-Site": "cross-site"}, 403, id="cross-site"),
        pytest.param({**ORIGIN, "Sec-Fetch-Site": "none"}, 403, id="typed-by-hand"),
        pytest.param({**ORIGIN, "Origin": "http://evil.example"}, 403, id="foreign-origin"),
        pytest.param({**ORIGIN, "Origin": "null"}, 403, id="null-origin"),
        pytest.param({**ORIGIN, "Origin": "shop.example"}, 403, id="no-scheme"),
        pytest.param({"Content-Type": "text/plain"}, 403, id="no-origin"),
        pytest.param({**SAME, "Content-Type": "text/html"}, 400, id="another-type"),
        pytest.param({"Sec-Fetch-Site": "same-origin"}, 400, id="no-type"),
    ],
)
def test_only_this_site_s_own_pages_tell(ask, headers, status):
    answer, [event] = ask("POST", body=VIEW, headers=headers)
    assert (answer["status"], event["status"]) == (status, 200 if status == 204 else status)
    if status == 403:
        assert (event["outcome"], event["reason"]) == ("denied", "origin")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [("GET", "/_flow", "POST"), ("PUT", "/_flow", "POST"), ("POST", "/_flow.js", "GET, HEAD")],
)
def test_another_method_is_405(ask, method, path, allow):
    answer, [event] = ask(method, path)
    assert (answer["status"], answer["headers"]["allow"]) == (405, allow)
    assert (event["outcome"], event["reason"]) == ("denied", "method")


def test_the_script_is_served_as_what_it_is(ask):
    answer, [event] = ask("GET", "/_flow.js")
    assert answer["status"] == 200
    headers = answer["headers"]
    assert headers["content-type"] == "text/javascript; charset=utf-8"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "public, max-age=3600"
    assert int(headers["content-length"]) == len(answer["body"])
    assert (event["route"], event["outcome"]) == ("/_flow.js", "ok")
    again, _ = ask("GET", "/_flow.js", headers={"If-None-Match": f"W/{headers['etag']}"})
    assert (again["status"], again["body"]) == (304, b"")
    head, _ = ask("HEAD", "/_flow.js")
    assert (head["status"], head["body"]) == (200, b"")
    assert head["headers"]["content-length"] == headers["content-length"]


def test_the_script_is_small_and_old_browsers_read_it(ask):
    script = ask("GET", "/_flow.js")[0]["body"].decode()
    assert len(script) <= 1_100
    assert not re.search(r"=>|`|\b(let|const|class|async)\b|\?\.", script)
    assert "cookie" not in script.split("*/", 1)[1]


@pytest.mark.parametrize("path", ["/", "/_flo", "/_flow/", "/_flow.jsx", "/x/_flow", "/_FLOW"])
def test_all_other_paths_are_the_app_s(ask, path):
    answer, [event] = ask("POST", path, body=VIEW)
    assert (answer["status"], answer["body"]) == (418, b"app")
    assert event["path"] == path


def test_it_is_there_below_a_mount(ask):
    answer, [event] = ask("POST", body=VIEW, root="/shop")
    assert (answer["status"], event["path"]) == (204, "/products/7")


@pytest.mark.parametrize("run", [ask_asgi, ask_wsgi])
def test_it_is_off_unless_it_is_asked_for(make_audit, run):
    audit = make_audit()
    assert run(audit, "GET", "/_flow.js", b"", {})["status"] == 418

    def app(*args): ...

    assert (AsgiCapture(app, audit).app, WsgiCapture(app, audit).app) == (app, app)


def test_what_the_policy_leaves_out_stays_left_out(make_audit, events, tmp_path):
    policy = tmp_path / "flowaudit.toml"
    policy.write_text('[[policy]]\npath = "/products/**"\nlevel = "none"\n')
    audit = make_audit(beacon="/_flow", policy=policy)
    assert ask_asgi(audit, "POST", "/_flow", VIEW, SAME)["status"] == 204
    assert ask_wsgi(audit, "POST", "/_flow", b'{"view":"/about"}', SAME)["status"] == 204
    audit.flush()
    assert [event["path"] for event in events()] == ["/about"]


def test_a_client_that_leaves_in_its_body_is_told_as_such(make_audit, events):
    audit = make_audit(beacon="/_flow")
    messages = [
        {"type": "http.request", "body": b'{"vi', "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive():
        return messages.pop(0)

    async def send(message):
        raise AssertionError("nobody is there any more")

    async def app(scope, receive, send): ...

    headers = [(b"sec-fetch-site", b"same-origin"), (b"content-type", b"text/plain")]
    scope = {"type": "http", "method": "POST", "path": "/_flow", "headers": headers}
    asyncio.run(audit.asgi(app)(scope, receive, send))
    audit.flush()
    assert [event["outcome"] for event in events()] == ["aborted"]


@pytest.mark.parametrize(
    "environ",
    [
        {"CONTENT_LENGTH": "22"},
        {"CONTENT_LENGTH": "22", "wsgi.input": io.BytesIO(b"short")},
        {"CONTENT_LENGTH": "", "wsgi.input": io.BytesIO(VIEW)},
        {"CONTENT_LENGTH": "9" * 5_000, "wsgi.input": io.BytesIO(VIEW)},
        {"CONTENT_LENGTH": "-1", "wsgi.input": io.BytesIO(VIEW)},
    ],
    ids=["no-input", "client-left", "no-length", "huge-length", "negative"],
)
def test_a_body_that_cannot_be_read_is_a_bad_one(make_audit, events, environ):
    audit = make_audit(beacon="/_flow")
    statuses = []
    request = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/_flow",
        "CONTENT_TYPE": "text/plain",
        "HTTP_SEC_FETCH_SITE": "same-origin",
        **environ,
    }
    assert not list(audit.wsgi(None)(request, lambda status, headers: statuses.append(status)))
    audit.flush()
    assert (statuses, [event["status"] for event in events()]) == (["400 Bad Request"], [400])


def test_a_request_without_headers_is_answered(make_audit):
    audit = make_audit(beacon="/_flow")
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(audit.asgi(None)({"type": "http", "path": "/_flow", "method": "POST"}, None, send))
    assert sent[0]["status"] == 403


def test_an_adapter_inside_an_authentication_tells_who_it_is(make_audit, events):
    from starlette.authentication import AuthCredentials, SimpleUser

    from flowaudit_fastapi import FlowAuditMiddleware

    def enrich(scope, facts):
        scope |= {"user": SimpleUser("ann"), "auth": AuthCredentials(["staff"])}
        FlowAuditMiddleware(None, audit=audit)._take(scope, facts)

    audit = make_audit(beacon="/_flow")
    assert ask_asgi(audit, "POST", "/_flow", VIEW, SAME, enrich=enrich)["status"] == 204
    audit.flush()
    [event] = events()
    assert (event["actor_kind"], event["roles"]) == ("user", ["staff"])
    assert (event["path"], event.get("route")) == ("/products/7", None)


def test_flasks_extension_has_it_before_the_app(make_audit, events):
    flask = pytest.importorskip("flask")
    from flowaudit_flask import FlowAuditFlask

    audit = make_audit(beacon="/_flow", session_cookie="session")
    app = flask.Flask("shop", static_folder=None)
    app.before_request(lambda: flask.abort(401))
    FlowAuditFlask(app, audit=audit)
    client = app.test_client()
    client.set_cookie("session", "a-session")
    headers = {"Sec-Fetch-Site": "same-origin"}
    answer = client.post("/_flow", data=CLICK, content_type="text/plain", headers=headers)
    assert (answer.status_code, client.get("/_flow.js").status_code) == (204, 200)
    audit.flush()
    click, script = events()
    assert (click["route"], script["route"]) == ("click:add-to-cart", "/_flow.js")
    assert click["session"] == script["session"]
