"""Who acts: sign-ins, sessions, tokens, roles."""

from typing import Final

from .app import PASSWORD
from .scenario import Scenario, beside, call, event, get, plain, said

__all__ = ["PEOPLE"]

SIGN_IN = b"name=ann&pw=" + PASSWORD.replace(" ", "+").encode()
FORM = {"content-type": "application/x-www-form-urlencoded"}
SIGN_IN_CALL = call("POST", "/sign-in", SIGN_IN, headers=FORM)
SIGNED_IN = event(
    method="POST",
    route="/sign-in",
    path="/sign-in",
    bytes_in=len(SIGN_IN),
    bytes_out=2,
    actor="user:ann",
    actor_kind="user",
    session="session 1",
)
LOGIN_EVENT = beside(
    kind="auth",
    action="login",
    route="/sign-in",
    actor="user:ann",
    actor_kind="user",
    login="ann",
    session="session 1",
)
MINE = event(
    route="/mine",
    path="/mine",
    bytes_out=2,
    actor="user:ann",
    actor_kind="user",
    session="session 1",
)
FAILED = beside(
    kind="auth",
    action="login-failed",
    route="/sign-in",
    login="ann",
    outcome="denied",
    reason="bad-credentials",
    data={"login_known": True},
)
WRONG = b"name=ann&pw=wrong"

PEOPLE: Final = {
    "sign-in": Scenario((SIGN_IN_CALL, call("GET", "/mine")), (LOGIN_EVENT, SIGNED_IN, MINE)),
    "sign-in-failed": Scenario(
        (call("POST", "/sign-in", WRONG, headers=FORM),),
        (
            FAILED,
            event(
                method="POST",
                route="/sign-in",
                path="/sign-in",
                bytes_in=len(WRONG),
                bytes_out=5,
                outcome="denied",
                reason="bad-credentials",
            ),
        ),
    ),
    "sign-in-failed-401": Scenario(
        (call("GET", "/said/wrong-401"),),
        (
            beside(
                kind="auth",
                action="login-failed",
                route="/said/wrong-401",
                login="nobody",
                outcome="denied",
                reason="bad-credentials",
                data={"login_known": False},
            ),
            *plain("/said/wrong-401", status=401, outcome="denied", reason="bad-credentials"),
        ),
    ),
    "sign-out": Scenario(
        (SIGN_IN_CALL, call("POST", "/sign-out")),
        (
            LOGIN_EVENT,
            SIGNED_IN,
            beside(
                kind="auth",
                action="logout",
                route="/sign-out",
                actor="user:ann",
                actor_kind="user",
                session="session 1",
            ),
            event(
                method="POST",
                route="/sign-out",
                path="/sign-out",
                status=302,
                actor="user:ann",
                actor_kind="user",
                session="session 1",
            ),
        ),
    ),
    "session-changes-at-sign-in": Scenario(
        (call("GET", "/cart"), SIGN_IN_CALL),
        (
            event(route="/cart", path="/cart", bytes_out=2, session="session 1"),
            LOGIN_EVENT | {"session": "session 2", "data": {"previous_session": "session 1"}},
            SIGNED_IN | {"session": "session 2"},
        ),
    ),
    "anonymous-session": Scenario(
        (call("GET", "/cart"), call("GET", "/plain")),
        (
            event(route="/cart", path="/cart", bytes_out=2, session="session 1"),
            *plain(session="session 1"),
        ),
    ),
    "nobody": get("/mine", bytes_out=4),
    "bearer-token": get(
        "/api/mine",
        {"authorization": "Bearer anns-token", "accept": "application/json"},
        actor="user:ann",
        actor_kind="user",
        roles=["nurse"],
        nav="api",
    ),
    "bearer-token-unknown": get(
        "/api/mine",
        {"authorization": "Bearer another", "accept": "application/json"},
        nav="api",
        bytes_out=4,
    ),
    "service": said("service", actor="service:cron", actor_kind="service"),
    "agent": said("agent", actor="agent:7", actor_kind="agent", via="user:ann"),
    "impersonated": said(
        "impersonated", actor="user:bob", actor_kind="user", roles=["nurse"], via="user:ann"
    ),
    "new-password": Scenario(
        (call("POST", "/reset"),),
        (
            beside(kind="auth", action="reset", route="/reset", data={"target": "user:ann"}),
            event(method="POST", route="/reset", path="/reset", status=302),
        ),
    ),
    "members-signed-in": Scenario(
        (SIGN_IN_CALL, call("GET", "/members")),
        (LOGIN_EVENT, SIGNED_IN, MINE | {"route": "/members", "path": "/members"}),
    ),
}
