"""What is refused, and what else a status tells."""

from typing import Final

from .scenario import ABSENT, PAGE, Scenario, call, event, get, refused, send

__all__ = ["REFUSALS", "STATUSES"]

REFUSALS: Final = {
    "denied": refused("/said/denied", "not-yours"),
    "denied-in-a-200": refused("/said/denied-200", "not-yours", status=200),
    "graphql": refused("/said/graphql", "forbidden", status=200, bytes_out=14),
    "hidden": get("/hidden", status=404, outcome="hidden", reason="hidden", bytes_out=PAGE),
    "unauthenticated": refused("/unauthenticated", "login-required", status=401, bytes_out=PAGE),
    "members-anonymous": refused("/members", "login-required", status=401, bytes_out=PAGE),
    **{
        f"redirect-{status}": refused(
            f"/redirect/{status}", "login-required", status=status, bytes_out=ABSENT
        )
        for status in (301, 302, 303, 307)
    },
    "redirect-absolute": refused(
        "/redirect/absolute", "login-required", status=302, bytes_out=ABSENT
    ),
    "redirect-elsewhere": get("/redirect/elsewhere", status=302, bytes_out=ABSENT),
    "redirect-within-sign-in": get("/login/again", status=302, bytes_out=ABSENT),
    "forbidden": refused("/forbidden", "forbidden", bytes_out=PAGE),
    "forbidden-answer": refused("/status/403", "forbidden"),
    "permission-exception": refused("/permission", "forbidden", status=500, bytes_out=PAGE),
    "permission-behind-a-broken-handler": refused(
        "/barred", "forbidden", status=500, bytes_out=PAGE
    ),
    "permission-made-a-500": refused("/swallowed", "forbidden", status=500),
    "locked": refused("/status/423", "locked", status=423),
    "locked-told": refused("/said/locked-told", "locked", status=200),
    "csrf": send(
        "POST",
        "/form",
        b"a=1",
        route="/form",
        status=403,
        outcome="denied",
        reason="csrf",
        bytes_out=PAGE,
    ),
    "origin": Scenario(
        (call("POST", "/form", b"a=1", headers={"origin": "http://evil.example"}),),
        (
            event(
                method="POST",
                path="/form",
                bytes_in=3,
                route="/form",
                status=403,
                outcome="denied",
                reason="origin",
                flags=["origin-mismatch"],
                bytes_out=PAGE,
            ),
        ),
    ),
    "bad-host": Scenario(
        (call("GET", "/plain", headers={"host": "evil.example"}),),
        (
            event(
                path="/plain",
                host="evil.example",
                status=400,
                outcome="denied",
                reason="bad-host",
                bytes_out=PAGE,
            ),
        ),
    ),
    "method": Scenario(
        (call("DELETE", "/items/7"),),
        (
            event(
                method="DELETE",
                path="/items/7",
                route="/items/{id}",
                resource="items",
                resource_id="7",
                status=405,
                outcome="denied",
                reason="method",
                bytes_out=PAGE,
            ),
        ),
    ),
    "method-not-implemented": refused("/status/501", "method", status=501),
    "throttled": get("/status/429", status=429, outcome="throttled", reason="rate-limit"),
}

STATUSES: Final = {
    "unknown-path": get(
        "/nothing/here",
        status=404,
        outcome="missing",
        reason="not-found",
        route=ABSENT,
        bytes_out=PAGE,
    ),
    "missing-exception": get(
        "/gone", status=404, outcome="missing", reason="not-found", bytes_out=PAGE
    ),
    **{
        f"status-{status}": get(f"/status/{status}", status=status, outcome=outcome, reason=reason)
        for status, outcome, reason in (
            (400, "invalid", "bad-request"),
            (402, "invalid", "bad-request"),
            (404, "missing", "not-found"),
            (409, "invalid", "bad-request"),
            (410, "missing", "not-found"),
            (413, "invalid", "too-large"),
            (414, "invalid", "too-large"),
            (415, "invalid", "bad-request"),
            (418, "invalid", "bad-request"),
            (422, "invalid", "validation"),
            (500, "error", "status"),
            (503, "error", "status"),
        )
    },
}
