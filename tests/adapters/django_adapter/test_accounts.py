"""Changes of accounts and rights become `auth` events, by Django's own signals."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from flowaudit import FlowAudit
from flowaudit.testing import recorded_events

from .browser import Browser

Told = Callable[[], list[tuple[str, dict[str, Any]]]]


@pytest.fixture
def told(audit: FlowAudit) -> Told:
    """The `auth` events so far, the account concerned by its name in the vault."""
    from flowaudit.vault.tokens import Vault

    def read() -> list[tuple[str, dict[str, Any]]]:
        events = recorded_events(audit, "auth")
        with Vault(audit.paths.vault) as vault:
            names = vault.identities()
        found = []
        for event in events:
            data = dict(event.get("data") or {})
            if "target" in data:
                data["target"] = names[data["target"]]
            found.append((event["action"], data))
        return found

    return read


@pytest.fixture
def cy(audit: FlowAudit) -> Any:
    """A user of this test alone, in the database by no signal, and loaded from there."""
    from django.contrib.auth.models import User

    name = f"cy-{uuid4().hex}"
    User.objects.bulk_create([User(username=name)])
    return User.objects.get(username=name)


def rename(user: Any) -> None:
    user.first_name = "Cyrus"
    user.save()


def set_flag(flag: str, value: bool, **options: Any) -> Callable[[Any], None]:
    def change(user: Any) -> None:
        setattr(user, flag, value)
        user.save(**options)

    return change


def set_password(user: Any) -> None:
    user.set_password("new")
    user.save()


def set_password_but_save_another_field(user: Any) -> None:
    user.set_password("new")
    user.save(update_fields=["first_name"])


def upgrade_the_hash(user: Any) -> None:
    """As a sign-in does when the preferred way of hashing has changed."""
    from django.contrib.auth.hashers import make_password

    user.password = make_password("pw", hasher="md5")
    user.save(update_fields=["password"])


def use_the_group(change: Callable[[Any, Any], None]) -> Callable[[Any], None]:
    def with_group(user: Any) -> None:
        from django.contrib.auth.models import Group

        group, _ = Group.objects.get_or_create(name="doctors")
        change(user, group)

    return with_group


def use_the_permission(change: Callable[[Any, Any], None]) -> Callable[[Any], None]:
    def with_permission(user: Any) -> None:
        from django.contrib.auth.models import Permission

        change(user, Permission.objects.get(codename="add_user"))

    return with_permission


def through_group(user: Any) -> Any:
    from django.contrib.auth.models import Group

    return Group.objects.get_or_create(name="doctors")[0]


def deferred(user: Any) -> None:
    """Nobody knows what the flag was: nothing is claimed."""
    known = type(user).objects.only("first_name").get(pk=user.pk)
    known.is_staff = True
    known.save()


def twice(user: Any) -> None:
    set_flag("is_staff", True)(user)
    rename(user)
    set_flag("is_staff", False)(user)


DOCTORS = {"role": "doctors"}
ADD_USER = {"role": "permission:add_user"}

CHANGES: dict[str, tuple[Callable[[Any], Any], list[tuple[str, dict[str, Any]]]]] = {
    "another-field": (rename, []),
    "superuser": (set_flag("is_superuser", True), [("grant", {"role": "superuser"})]),
    "staff": (set_flag("is_staff", True), [("grant", {"role": "staff"})]),
    "staff-field-saved": (
        set_flag("is_staff", True, update_fields=["is_staff"]),
        [("grant", {"role": "staff"})],
    ),
    "staff-field-not-saved": (set_flag("is_staff", True, update_fields=["first_name"]), []),
    "staff-and-back": (twice, [("grant", {"role": "staff"}), ("revoke", {"role": "staff"})]),
    "inactive": (set_flag("is_active", False), [("disabled", {})]),
    "deferred": (deferred, []),
    "password": (set_password, [("reset", {})]),
    "password-not-saved": (set_password_but_save_another_field, []),
    "hash-upgraded": (upgrade_the_hash, []),
    "group-added": (use_the_group(lambda u, g: u.groups.add(g)), [("grant", DOCTORS)]),
    "group-added-twice": (
        use_the_group(lambda u, g: [u.groups.add(g), u.groups.add(g)]),
        [("grant", DOCTORS)],
    ),
    "group-removed": (
        use_the_group(lambda u, g: [u.groups.add(g), u.groups.remove(g)]),
        [("grant", DOCTORS), ("revoke", DOCTORS)],
    ),
    "groups-cleared": (
        use_the_group(lambda u, g: [u.groups.add(g), u.groups.clear()]),
        [("grant", DOCTORS), ("revoke", {"role": "group:*"})],
    ),
    "added-to-group": (use_the_group(lambda u, g: g.user_set.add(u)), [("grant", DOCTORS)]),
    "permission": (
        use_the_permission(lambda u, p: u.user_permissions.add(p)),
        [("grant", ADD_USER)],
    ),
    "permission-of-group": (
        use_the_permission(lambda u, p: through_group(u).permissions.set([p])),
        [("grant", {**ADD_USER, "of_group": "doctors"})],
    ),
    "deleted": (lambda u: u.delete(), [("deleted", {})]),
    "deleted-by-query": (
        lambda u: type(u).objects.filter(pk=u.pk).delete(),
        [("deleted", {})],
    ),
    "changed-past-the-models": (
        lambda u: type(u).objects.filter(pk=u.pk).update(is_staff=True),
        [],
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_told(cy: Any, told: Told, name: str) -> None:
    change, expected = CHANGES[name]
    target = f"user:{cy.pk}"
    through_group(cy).permissions.clear()
    before = len(told())
    change(cy)
    found = [
        (action, {key: value for key, value in data.items() if key not in ("group", "permission")})
        for action, data in told()[before:]
    ]
    assert found == [
        (action, data if "of_group" in data else {**data, "target": target})
        for action, data in expected
    ]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, [("enabled", {"created": True})]),
        ({"is_active": False}, [("disabled", {"created": True})]),
        (
            {"is_staff": True, "is_superuser": True},
            [
                ("enabled", {"created": True}),
                ("grant", {"role": "superuser"}),
                ("grant", {"role": "staff"}),
            ],
        ),
    ],
    ids=["plain", "inactive", "superuser"],
)
def test_a_new_account_is_told(told: Told, flags: dict[str, bool], expected: Any) -> None:
    from django.contrib.auth.models import User

    user = User.objects.create_user(f"new-{uuid4().hex}", password="pw", **flags)
    target = f"user:{user.pk}"
    assert told() == [(action, {**data, "target": target}) for action, data in expected]


@pytest.mark.parametrize("holds", [True, False], ids=["committed", "rolled-back"])
def test_what_a_transaction_takes_back_has_not_happened(cy: Any, told: Told, holds: bool) -> None:
    from django.db import transaction

    with transaction.atomic():
        set_flag("is_staff", True)(cy)
        assert told() == []
        transaction.set_rollback(not holds)
    assert [action for action, _ in told()] == (["grant"] if holds else [])


def test_a_change_of_many_is_told_in_part_and_counted(told: Told, cy: Any) -> None:
    from django.contrib.auth.models import User

    names = [f"many-{uuid4().hex}" for _ in range(210)]
    User.objects.bulk_create([User(username=name) for name in names])
    keys = list(User.objects.filter(username__in=names).values_list("pk", flat=True))
    through_group(cy).user_set.add(*keys)
    found = told()
    assert len(found) == 201
    action, data = found[-1]
    assert (action, data["role"], data["more"]) == ("grant", "doctors", 10)


def test_in_a_request_it_belongs_to_whoever_acts(
    browser: Browser, cy: Any, key_of: Callable[[str], Any]
) -> None:
    """Through the admin's own form, in one transaction, without a role it had before."""
    browser.sign_in("root")
    page = f"/admin/auth/user/{cy.pk}/change/"
    browser.get(page)
    token = browser.cookie("csrftoken")
    fields = {
        "csrfmiddlewaretoken": token,
        "username": cy.username,
        "is_active": "on",
        "is_staff": "on",
        "groups": str(through_group(cy).pk),
        "date_joined_0": "2026-01-01",
        "date_joined_1": "00:00:00",
    }
    assert browser.post(page, data=fields).status_code == 302
    *_, staff, doctors, request = browser.events()
    assert request["kind"] == "request"
    root, target = browser.who(f"user:{key_of('root')}"), browser.who(f"user:{cy.pk}")
    for event, role in ((staff, "staff"), (doctors, "doctors")):
        assert (event["action"], event["actor"]) == ("grant", root)
        assert event["data"]["target"] == target
        assert event["data"]["role"] == role
        assert event["session"] == request["session"]


def test_who_changes_their_own_password(browser: Browser) -> None:
    from django.contrib.auth.models import User

    user = User.objects.create_user(f"dee-{uuid4().hex}", password="pw")
    browser.sign_in(user.username)
    browser.get("/accounts/login/")
    headers = {"x-csrftoken": browser.cookie("csrftoken")}
    passwords = {"old_password": "pw", "new_password1": "other-84", "new_password2": "other-84"}
    assert browser.post("/password", data=passwords, headers=headers).status_code == 302
    reset, request = browser.events()[-2:]
    assert (reset["kind"], reset["action"]) == ("auth", "reset")
    assert reset["actor"] == request["actor"] == reset["data"]["target"]


def test_a_job_owns_what_it_changes(audit: FlowAudit, cy: Any) -> None:
    with audit.job("staffing", actor="service:cron"):
        set_flag("is_staff", True)(cy)
    grant, job = recorded_events(audit)
    assert (grant["action"], grant["actor"]) == ("grant", job["actor"])


def test_no_query_is_added(cy: Any) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:
        set_flag("is_superuser", True)(cy)
        set_password(cy)
    assert len(queries) == 2


def test_a_fault_of_ours_does_not_reach_the_app(cy: Any, make_audit: Any, tmp_path: Any) -> None:
    from django.test import override_settings

    broken = make_audit(vault=tmp_path / "no.vault")
    (tmp_path / "no.vault").write_bytes(b"not a vault at all" * 100)
    with override_settings(FLOWAUDIT={"audit": broken}):
        set_flag("is_staff", True)(cy)
    assert broken.counters["capture_failed"] == 1


def test_a_fault_while_a_user_is_loaded_does_not_reach_the_app(
    cy: Any, make_audit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.contrib.auth.models import AbstractUser
    from django.test import override_settings

    own = make_audit()
    monkeypatch.delattr(AbstractUser, "USERNAME_FIELD")  # as a model that stands in for the user's
    with override_settings(FLOWAUDIT={"audit": own}), own.job("night"):
        assert type(cy).objects.get(pk=cy.pk) == cy
    assert own.counters["capture_failed"] == 1
