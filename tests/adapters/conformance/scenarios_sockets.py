"""Websockets: who closes them, with which code, before or after they are accepted."""

from typing import Final

from .scenario import ABSENT, ACCEPTED, Scenario, close, refuse, socket

__all__ = ["SOCKETS"]


def closed_by_app(code: int, outcome: str = "ok", reason: str | None = ABSENT) -> Scenario:
    """A websocket that the app accepts and closes."""
    end = close(code, outcome=outcome, reason=reason)
    return socket(f"close?code={code}", ACCEPTED, end, closes=None)


def refused_by_app(code: int, reason: str) -> Scenario:
    """A websocket that the app closes instead of accepting it."""
    return socket(f"refuse?code={code}", refuse(403, "denied", reason, data={"close_code": code}))


SOCKETS: Final = {
    "websocket-echo": socket("echo", ACCEPTED, close(1000, 7, 2), sends=("héllo", b"x")),
    "websocket-silent": socket("echo", ACCEPTED, close(1000)),
    **{
        f"websocket-left-{code}": socket(
            "echo", ACCEPTED, close(code, 3, 1), sends=("abc",), closes=code
        )
        for code in (1001, 1008, 4000, 4403)
    },
    "websocket-vanished": socket(
        "echo", ACCEPTED, close(1006, 3, 1), sends=("abc",), vanishes=True
    ),
    "websocket-closed": closed_by_app(1000),
    "websocket-closed-by-policy": closed_by_app(1008, "denied", "forbidden"),
    "websocket-closed-by-a-fault": closed_by_app(1011, "error", "status"),
    "websocket-closed-4000": closed_by_app(4000),
    "websocket-closed-4401": closed_by_app(4401, "denied", "login-required"),
    "websocket-closed-4403": closed_by_app(4403, "denied", "forbidden"),
    "websocket-closed-4429": closed_by_app(4429, "throttled", "rate-limit"),
    "websocket-refused": refused_by_app(1000, "forbidden"),
    "websocket-refused-4401": refused_by_app(4401, "login-required"),
    "websocket-denied": socket(
        "told", refuse(403, "denied", "not-yours", data={"close_code": 1000})
    ),
    "websocket-unknown": socket(
        "nothing", refuse(403, "denied", "forbidden", data={"close_code": 1000}, route=ABSENT)
    ),
    "websocket-answered-401": socket(
        "answer?status=401", refuse(401, "denied", "login-required", bytes_out=5)
    ),
    "websocket-throttled": socket(
        "answer?status=429", refuse(429, "throttled", "rate-limit", bytes_out=5)
    ),
    "websocket-not-answered": socket("silent", refuse(500, "error", "status")),
    "websocket-crash-before": socket("crash/before", refuse(500, "error", "RuntimeError")),
    "websocket-crash": socket(
        "crash", ACCEPTED, close(ABSENT, outcome="error", reason="RuntimeError"), closes=None
    ),
}
