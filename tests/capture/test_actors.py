"""The kind of actor: as told, else by User-Agent, else by name."""

from collections.abc import Callable
from typing import Any

import pytest

import flowaudit
from flowaudit import FlowAudit

from .asgi_driver import BODY, START, call, scope

Events = Callable[..., list[dict[str, Any]]]
AGENT = "Mozilla/5.0 (compatible; ChatGPT-User/1.0; +https://openai.com/bot)"
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


@pytest.mark.parametrize(
    ("user_agent", "identity", "told", "kind"),
    [
        ("Firefox", None, None, "anonymous"),
        ("Firefox", "user:1", None, "user"),
        ("Firefox", "service:billing", None, "service"),
        ("Firefox", "agent:desk", None, "agent"),
        ("Firefox", "user:1", "agent", "agent"),
        (AGENT, None, None, "agent"),
        (AGENT, "user:1", None, "agent"),
        (AGENT, "user:1", "service", "service"),
        (BOT, None, None, "bot"),
        (BOT, "user:1", None, "user"),
        ("Acme-Assistant/2", None, None, "agent"),
    ],
)
def test_the_kind_of_actor(
    make_audit: Callable[..., FlowAudit],
    events: Events,
    user_agent: str,
    identity: str | None,
    told: str | None,
    kind: str,
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if identity is not None:
            flowaudit.identify(identity, kind=told)
        await send(START)
        await send(BODY)

    audit = make_audit(agents=["acme-assistant"])
    for _ in range(2):  # the first time it must be found, the second it is remembered
        call(audit.asgi(app), scope(headers=[(b"user-agent", user_agent.encode())]))
    audit.flush()
    assert [event["actor_kind"] for event in events()] == [kind, kind]
