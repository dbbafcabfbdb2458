"""Websockets."""

from typing import Final

from .scenario import ABSENT, socket

__all__ = ["SOCKETS"]

SOCKETS: Final = {
    "websocket-echo": socket(
        "echo",
        {"action": "accept", "status": ABSENT},
        {
            "action": "close",
            "status": ABSENT,
            "bytes_in": 7,
            "bytes_out": 7,
            "data": {"close_code": 1000, "messages_in": 2, "messages_out": 2},
        },
        sends=("héllo", b"x"),
    ),
    "websocket-refused": socket(
        "refused",
        {
            "action": "refuse",
            "status": 403,
            "outcome": "denied",
            "reason": "forbidden",
            "data": {"close_code": 1000},
        },
    ),
    "websocket-denied": socket(
        "told",
        {
            "action": "refuse",
            "status": 403,
            "outcome": "denied",
            "reason": "not-yours",
            "data": {"close_code": 1000},
        },
    ),
    "websocket-unknown": socket(
        "nothing",
        {
            "action": "refuse",
            "status": 403,
            "outcome": "denied",
            "reason": "forbidden",
            "data": {"close_code": 1000},
            "route": ABSENT,
        },
    ),
    "websocket-closed-by-policy": socket(
        "policy",
        {"action": "accept", "status": ABSENT},
        {
            "action": "close",
            "status": ABSENT,
            "outcome": "denied",
            "reason": "forbidden",
            "data": {"close_code": 1008, "messages_in": 0, "messages_out": 0},
        },
    ),
    "websocket-throttled": socket(
        "throttled",
        {
            "action": "refuse",
            "status": 429,
            "outcome": "throttled",
            "reason": "rate-limit",
            "bytes_out": 5,
        },
    ),
    "websocket-crash": socket(
        "crash",
        {"action": "accept", "status": ABSENT},
        {
            "action": "close",
            "status": ABSENT,
            "outcome": "error",
            "reason": "RuntimeError",
            "data": {"messages_in": 0, "messages_out": 0},
        },
    ),
}
