"""Management commands as jobs."""

from collections.abc import Callable
from typing import Any

import pytest

import flowaudit
from flowaudit import FlowAudit
from flowaudit.vault.tokens import Vault

pytest.importorskip("django")

from .django_project import configure, fresh_audit

Events = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def django_audit(audit: FlowAudit) -> FlowAudit:
    configure()
    fresh_audit(audit)
    return audit


def test_a_commands_run_is_an_event(django_audit: FlowAudit, events: Events) -> None:
    from django.core.management import call_command

    from flowaudit_django.commands import AuditedCommand

    class Command(AuditedCommand):
        def add_arguments(self, parser: Any) -> None:
            parser.add_argument("number", type=int)

        def handle(self, *args: Any, **options: Any) -> str:
            flowaudit.resource("invoice", options["number"])
            if options["number"] == 13:
                raise PermissionError("not this one")
            return "done"

    assert call_command(Command(), "7") == "done"
    with pytest.raises(PermissionError):
        call_command(Command(), "13")
    django_audit.flush()
    done, refused = events("note")
    assert (done["route"], done["resource_id"]) == ("job:command test_django_commands", "7")
    assert (done["outcome"], refused["outcome"]) == ("ok", "denied")
    with Vault(django_audit.paths.vault) as vault:
        assert vault.identity(done["actor"]) == "service:manage"
    assert done["actor_kind"] == "service"
