"""What the app says of its requests."""

from typing import Final

from .scenario import Scenario, beside, call, get, plain, said

__all__ = ["SAID"]

SAID: Final = {
    "resource": said("record", resource="record", resource_id="17"),
    "privileged": said("privileged", resource="record", resource_id="17", privileged=True),
    "rows": said("rows", resource="records", rows=3),
    "step": said("step", flow="booking", step="pay"),
    "note": said("note", data={"ward": "B"}),
    "notes": get("/several", data={"ward": "B", "beds": 3, "urgent": True}),
    "note-in-a-thread": get("/thread", data={"where": "thread"}),
    "deployment": Scenario(
        (call("GET", "/said/deploy"),),
        (
            beside(kind="ops", action="deploy", route="/said/deploy", facts={"version": "2"}),
            *plain("/said/deploy"),
        ),
    ),
    "deployment-after-the-answer": Scenario(
        (call("GET", "/later/record"),),
        (
            *plain("/later/record"),
            beside(kind="ops", action="deploy", route="/later/record", facts={"version": "2"}),
        ),
    ),
    "sign-in-after-the-answer": Scenario(
        (call("GET", "/later/login"),),
        (
            *plain("/later/login"),
            beside(
                kind="auth",
                action="login",
                route="/later/login",
                actor="user:ann",
                actor_kind="user",
                login="ann",
            ),
        ),
    ),
    "change": Scenario(
        (call("GET", "/said/change"),),
        (
            beside(kind="change", action="update", route="/said/change", data={"table": "beds"}),
            *plain("/said/change"),
        ),
    ),
    "grant": Scenario(
        (call("GET", "/said/grant"),),
        (
            beside(
                kind="auth",
                action="grant",
                route="/said/grant",
                data={"target": "user:ann", "role": "nurse"},
            ),
            *plain("/said/grant"),
        ),
    ),
}
