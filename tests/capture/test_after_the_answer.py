"""What an app says and does when its answer has left: told, as events of its own."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import flowaudit
from flowaudit import FlowAudit

Events = Callable[..., list[dict[str, Any]]]

START = {"type": "http.response.start", "status": 200, "headers": []}
BODY = {"type": "http.response.body", "body": b"hello"}


def scope(**values: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "method": "POST",
        "path": "/orders",
        "headers": [(b"user-agent", b"test"), (b"x-request-id", b"order-17")],
        "client": ("10.0.0.1", 5),
        **values,
    }


def serve(app: Any, one: dict[str, Any]) -> BaseException | None:
    """Run an app for a client that stays."""

    async def receive() -> dict[str, Any]:
        return {"type": one["type"] + ".disconnect", "code": 1000}

    async def send(message: dict[str, Any]) -> None:
        pass

    async def go() -> BaseException | None:
        try:
            await app(one, receive, send)
        except BaseException as error:
            return error
        return None

    return asyncio.run(go())


def asgi_then(audit: FlowAudit, work: Callable[[], object], status: int = 200) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        flowaudit.identify("user:1")
        await send({**START, "status": status})
        await send(BODY)
        work()

    return serve(audit.asgi(app), scope())


class Closing(list[bytes]):
    """Blocks of an answer, and work that its `close` does."""

    def __init__(self, work: Callable[[], object]) -> None:
        super().__init__([b"hello"])
        self.close = work

    def __iter__(self) -> Any:  # a generator, so that it is no plain list to anybody
        yield from super().__iter__()


def wsgi_then(audit: FlowAudit, work: Callable[[], object], status: int = 200) -> Any:
    def app(environ: Any, start_response: Any) -> Any:
        flowaudit.identify("user:1")
        start_response(f"{status} X", [("Content-Length", "5")])
        return Closing(work)

    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/orders",
        "REMOTE_ADDR": "10.0.0.1",
        "HTTP_USER_AGENT": "test",
        "HTTP_X_REQUEST_ID": "order-17",
    }
    body = audit.wsgi(app)(environ, lambda *given: lambda data: None)
    list(body)
    try:
        body.close()  # type: ignore[attr-defined]
    except BaseException as error:
        return error
    return None


BOTH = pytest.mark.parametrize("run", [asgi_then, wsgi_then], ids=["asgi", "wsgi"])
SAYS: dict[str, tuple[Callable[[], object], tuple[str, str | None]]] = {
    "login": (lambda: flowaudit.login("user:2", name="bo"), ("auth", "login")),
    "login-failed": (lambda: flowaudit.login_failed("bo"), ("auth", "login-failed")),
    "logout": (flowaudit.logout, ("auth", "logout")),
    "record": (lambda: flowaudit.record("ops", "deploy", version="2"), ("ops", "deploy")),
    "grant": (
        lambda: flowaudit.record("auth", "grant", target="user:3", role="staff"),
        ("auth", "grant"),
    ),
}


@BOTH
@pytest.mark.parametrize("said", SAYS)
def test_what_is_told_after_the_answer_is_an_event_of_its_own(
    audit: FlowAudit, events: Events, holds: Callable[[], None], run: Any, said: str
) -> None:
    say, expected = SAYS[said]
    assert run(audit, say) is None
    audit.flush()
    request, late = events()
    assert (request["kind"], request["outcome"]) == ("request", "ok")
    assert (late["kind"], late["action"]) == expected
    assert late["request"] == request["request"] == "order-17"
    assert late["ts"] >= request["ts"]
    assert audit.counters["lost"] == audit.counters["capture_failed"] == 0
    holds()


@BOTH
def test_each_say_is_told_once(audit: FlowAudit, events: Events, run: Any) -> None:
    def work() -> None:
        for version in ("1", "2", "3"):
            flowaudit.record("ops", "deploy", version=version)

    run(audit, work)
    audit.flush()
    assert [one["facts"]["version"] for one in events("ops")] == ["1", "2", "3"]


@BOTH
def test_who_acts_after_the_answer_may_be_told_there(
    audit: FlowAudit, events: Events, run: Any
) -> None:
    def work() -> None:
        flowaudit.identify("service:mailer")
        flowaudit.record("ops", "manual")

    run(audit, work)
    audit.flush()
    request, late = events()
    assert request["actor"] != late["actor"]
    assert late["actor_kind"] == "service"


@BOTH
@pytest.mark.parametrize(
    "say",
    [
        lambda: flowaudit.note(late=True),
        lambda: flowaudit.deny("late"),
        flowaudit.hide,
        lambda: flowaudit.resource("order", 17),
        lambda: flowaudit.step("checkout", "paid"),
    ],
    ids=["note", "deny", "hide", "resource", "step"],
)
def test_what_only_the_request_could_hold_is_counted(
    audit: FlowAudit,
    events: Events,
    run: Any,
    say: Callable[[], object],
    capfd: pytest.CaptureFixture[str],
) -> None:
    run(audit, say)
    audit.flush()
    [request] = events()
    assert request["outcome"] == "ok"
    assert audit.said_too_late == 1
    assert "after its event was made" in "".join(capfd.readouterr())


def boom() -> None:
    raise RuntimeError("mail server away")


@BOTH
def test_work_that_fails_after_the_answer_is_told(
    audit: FlowAudit, events: Events, run: Any
) -> None:
    assert isinstance(run(audit, boom), RuntimeError)
    audit.flush()
    request, late = events()
    assert (request["outcome"], request["status"]) == ("ok", 200)
    assert (late["kind"], late["outcome"], late["reason"]) == ("note", "error", "RuntimeError")
    assert (late["actor"], late["request"]) == (request["actor"], "order-17")
    assert "mail server away" not in str(events())


@BOTH
@pytest.mark.parametrize(
    ("error", "status"),
    [(asyncio.CancelledError(), 200), (SystemExit(1), 200), (RuntimeError("told"), 500)],
    ids=["cancelled", "exit", "raised-again-by-a-framework"],
)
def test_what_is_no_failure_of_its_own_is_not_told(
    audit: FlowAudit, events: Events, run: Any, error: BaseException, status: int
) -> None:
    def work() -> None:
        raise error

    assert run(audit, work, status) is error
    audit.flush()
    assert [one["kind"] for one in events()] == ["request"]


def test_a_say_in_an_open_websocket_does_not_wait_for_its_end(
    audit: FlowAudit, events: Events
) -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        flowaudit.login("user:1")
        await send({"type": "websocket.accept"})
        flowaudit.record("ops", "manual", what="export")
        flowaudit.note(room="4")
        audit.flush()
        seen.extend(one["kind"] for one in events())
        await send({"type": "websocket.close", "code": 1000})

    serve(audit.asgi(app), scope(type="websocket"))
    audit.flush()
    assert seen == ["auth", "websocket", "ops"]
    accept, close = events("websocket")
    assert "room" not in accept.get("data", {})
    assert close["data"]["room"] == "4"
    assert [one["kind"] for one in events()] == [*seen, "websocket"]  # the sign-in once only
    assert audit.said_too_late == 0


WHOLE = [START, BODY]


@pytest.mark.parametrize(
    ("messages", "error", "failures"),
    [
        pytest.param(WHOLE, OSError("the client has gone"), [], id="client-gone"),
        pytest.param(WHOLE, RuntimeError("too little data"), [], id="refused"),
        pytest.param(
            [*WHOLE, BODY], RuntimeError("the end was before"), ["RuntimeError"], id="more"
        ),
        pytest.param([*WHOLE, BODY], OSError("the client has gone"), [], id="more-and-client-gone"),
    ],
)
def test_what_a_server_raises_for_the_last_block_is_no_failure_after_it(
    audit: FlowAudit,
    events: Events,
    messages: list[dict[str, Any]],
    error: Exception,
    failures: list[str],
) -> None:
    waiting = list(messages)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while waiting:
            await send(waiting.pop(0))

    async def send(message: dict[str, Any]) -> None:
        if not waiting:
            raise error

    async def go() -> None:
        await audit.asgi(app)(scope(), lambda: None, send)  # type: ignore[arg-type, return-value]

    with pytest.raises(type(error)) as raised:
        asyncio.run(go())
    assert raised.value is error
    audit.flush()
    assert [event["reason"] for event in events("note")] == failures
    assert [event["outcome"] for event in events("request")] == ["ok"]
