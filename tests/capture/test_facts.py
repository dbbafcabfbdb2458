"""What an adapter tells of a request, and what the app says over it."""

from collections.abc import Callable
from typing import Any

import flowaudit
from flowaudit import FlowAudit
from flowaudit.capture.asgi import AsgiCapture
from flowaudit.capture.facts import Actor, Facts
from flowaudit.vault.tokens import Vault

from .asgi_driver import BODY, START, call, scope

Events = Callable[..., list[dict[str, Any]]]


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send(BODY)


async def saying_app(scope: Any, receive: Any, send: Any) -> None:
    flowaudit.identify("user:3", roles=["nurse"], kind="agent")
    flowaudit.resource("record", 9)
    await app(scope, receive, send)


def tell(scope: Any, facts: Facts) -> None:
    facts.act(Actor("user:1", roles=["doctor", ""], kind="service", via="user:2"))
    facts.resource, facts.resource_id = "items", "7"


def test_facts_in_an_environ_show_nothing_to_an_error_page() -> None:
    facts = Facts(1, "GET", cookie="sessionid=s3cret", user="user:1")
    assert repr({"flowaudit.facts": facts}) == "{'flowaudit.facts': <Facts of a request>}"


def test_a_query_that_is_text_is_looked_at(audit: FlowAudit, events: Events) -> None:
    """No server gives one, but test clients do."""
    call(audit.asgi(app), scope(query_string="q=../../etc/passwd"))
    audit.flush()
    assert "traversal" in events()[0]["flags"]
    assert audit.counters["capture_failed"] == 0


def test_what_is_told_beside_a_request_has_its_via_too(audit: FlowAudit, events: Events) -> None:
    async def granting(scope: Any, receive: Any, send: Any) -> None:
        flowaudit.login("user:1")
        flowaudit.identify("user:1", via="user:2")
        flowaudit.record("auth", "grant", target="user:3")
        await app(scope, receive, send)

    call(audit.asgi(granting), scope())
    audit.flush()
    with Vault(audit.paths.vault) as vault:
        assert [vault.identity(event["via"]) for event in events()] == ["user:2"] * 3


def test_an_adapter_tells_actor_roles_via_and_resource(audit: FlowAudit, events: Events) -> None:
    for _ in range(2):  # the first asks the vault, the second is made from memory
        call(AsgiCapture(app, audit, tell), scope())
    audit.flush()
    with Vault(audit.paths.vault) as vault:
        for event in events():
            assert vault.identity(event["actor"]) == "user:1"
            assert vault.identity(event["via"]) == "user:2"
            assert event["roles"] == ["doctor"]
            assert event["actor_kind"] == "service"
            assert (event["resource"], event["resource_id"]) == ("items", "7")
    assert len(events()) == 2


def test_what_the_app_says_goes_before_it(audit: FlowAudit, events: Events) -> None:
    call(AsgiCapture(saying_app, audit, tell), scope())
    audit.flush()
    [event] = events()
    with Vault(audit.paths.vault) as vault:
        assert vault.identity(event["actor"]) == "user:3"
    assert (event["roles"], event["actor_kind"]) == (["nurse"], "agent")
    assert "via" not in event  # it was told of another actor
    assert (event["resource"], event["resource_id"]) == ("record", "9")


def test_nobody_is_nobody() -> None:
    facts = Facts(1, "GET")
    for actor in (None, "", Actor("")):
        facts.act(actor)
    assert facts.identity is None
