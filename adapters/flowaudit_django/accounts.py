"""Changes of accounts and rights: `auth` events from Django's model signals.

Nothing is asked of the database: the state before a change is what the instance was loaded with.
What is changed past the models (`queryset.update`, SQL) is not seen.
"""

from collections.abc import Iterable
from functools import partial
from typing import Any, Final

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import signals

import flowaudit
from flowaudit.capture.context import current

from .project import get_audit
from .receivers import guarded, note_name

__all__ = ["connect_accounts"]

MAX_TOLD: Final = 200
"""Accounts or roles of one change that get an event of their own; one more tells the rest."""

MAX_REMEMBERED: Final = 2_048
"""Groups and permissions whose names are remembered; emptied when full."""

_FLAGS: Final = ("is_superuser", "is_staff", "is_active")
_ROLE_OF_FLAG: Final = {"is_superuser": "superuser", "is_staff": "staff"}
_VERBS: Final = {"post_add": "grant", "post_remove": "revoke", "post_clear": "revoke"}
_UID: Final = "flowaudit"

_role_names: dict[tuple[str, Any], str] = {}
"""Names of the groups and permissions that this process has loaded, by kind and primary key."""


def connect_accounts() -> None:
    """Listen to the user model, its proxies, and what gives rights. More than once is once."""
    from django.contrib.auth.models import Group, Permission  # they need the apps to be loaded

    user_model = get_user_model()
    if not hasattr(user_model, "USERNAME_FIELD"):
        return  # something stands in for the user model, as a test's mock
    for model in apps.get_models():
        if issubclass(model, user_model):
            signals.post_init.connect(_user_loaded, sender=model, dispatch_uid=_UID)
            signals.post_save.connect(_user_saved, sender=model, dispatch_uid=_UID)
            signals.post_delete.connect(_user_deleted, sender=model, dispatch_uid=_UID)
    for kind, model in (("group", Group), ("permission", Permission)):
        receiver = partial(_role_loaded, kind)
        signals.post_init.connect(receiver, sender=model, weak=False, dispatch_uid=_UID)
    for owner, field, kinds in (
        (user_model, "groups", ("user", "group")),
        (user_model, "user_permissions", ("user", "permission")),
        (Group, "permissions", ("group", "permission")),
    ):
        through = getattr(getattr(owner, field, None), "through", None)
        if through is not None:
            receiver = partial(_rights_changed, *kinds)
            signals.m2m_changed.connect(receiver, sender=through, weak=False, dispatch_uid=_UID)


@guarded
def _user_loaded(sender: Any, instance: Any, **_: object) -> None:
    values = instance.__dict__  # what is deferred stays so: to look at it would be a query
    instance._state.flowaudit = tuple(map(values.get, _FLAGS))
    if current.get() is not None:
        note_name(values.get(sender.USERNAME_FIELD))
        note_name(values.get(sender.get_email_field_name()))


@guarded
def _role_loaded(kind: str, instance: Any, **_: object) -> None:
    values = instance.__dict__
    name = values.get("codename" if kind == "permission" else "name")
    if name and instance.pk is not None:
        if len(_role_names) >= MAX_REMEMBERED:
            _role_names.clear()
        _role_names[kind, instance.pk] = f"permission:{name}" if kind == "permission" else name


@guarded
def _user_saved(
    sender: Any,
    instance: Any,
    created: bool = False,
    raw: bool = False,
    using: str | None = None,
    update_fields: frozenset[str] | None = None,
    **_: object,
) -> None:
    told = partial(_tell, using, target=f"user:{instance.pk}")
    values, is_new = instance.__dict__, created or raw
    before = dict(zip(_FLAGS, getattr(instance._state, "flowaudit", ()), strict=False))
    after = {
        flag: values.get(flag) for flag in _FLAGS if update_fields is None or flag in update_fields
    }
    if created:
        is_active = getattr(instance, "is_active", True)
        told("enabled" if is_active else "disabled", created=True)
    for flag, role in _ROLE_OF_FLAG.items():
        if _has_changed(before, after, flag, is_new):
            told("grant" if after[flag] else "revoke", role=role)
    if not created and _has_changed(before, after, "is_active", False):
        told("enabled" if after["is_active"] else "disabled")
    is_password_saved = update_fields is None or "password" in update_fields
    if not created and is_password_saved and values.get("_password") is not None:
        told("reset")
    instance._state.flowaudit = tuple({**before, **after}.get(flag) for flag in _FLAGS)


def _has_changed(before: dict[str, Any], after: dict[str, Any], flag: str, is_new: bool) -> bool:
    """Whether a save has changed a flag; for an account that is new or a fixture's, if it is set.

    A flag that was not loaded is not judged: nobody can say what it was.
    """
    if after.get(flag) is None:
        return False
    if is_new:
        return bool(after[flag])
    return before.get(flag) is not None and bool(before[flag]) != bool(after[flag])


@guarded
def _user_deleted(sender: Any, instance: Any, using: str | None = None, **_: object) -> None:
    _tell(using, "deleted", target=f"user:{instance.pk}")


@guarded
def _rights_changed(
    holder_kind: str,
    role_kind: str,
    instance: Any = None,
    action: str = "",
    reverse: bool = False,
    pk_set: Iterable[Any] | None = None,
    using: str | None = None,
    **_: object,
) -> None:
    """Who got or lost which role: a user a group, or a user or group a permission."""
    verb = _VERBS.get(action)
    if verb is None:
        return
    keys = ["*"] if pk_set is None else sorted(pk_set, key=str)
    for key in keys[:MAX_TOLD]:
        holder, role = (key, instance.pk) if reverse else (instance.pk, key)
        _tell(using, verb, **_holder(holder_kind, holder), **_role(role_kind, role))
    if len(keys) > MAX_TOLD:
        known = _role(role_kind, instance.pk) if reverse else _holder(holder_kind, instance.pk)
        _tell(using, verb, more=len(keys) - MAX_TOLD, **known)


def _holder(kind: str, key: Any) -> dict[str, Any]:
    """The account concerned, recorded as its token; a group is nobody, and told by its name."""
    if kind == "user" and key != "*":
        return {"target": f"user:{key}"}
    return {f"of_{kind}": _role_names.get((kind, key), str(key))}


def _role(kind: str, key: Any) -> dict[str, Any]:
    """A role by its name, as far as anybody has loaded it, and always by its key."""
    if key == "*":
        return {"role": f"{kind}:*"}
    return {"role": _role_names.get((kind, key), f"{kind}:{key}"), kind: str(key)}


def _tell(using: str | None, action: str, **values: object) -> None:
    """Record it once it holds: what a transaction takes back has not happened."""
    if transaction.get_connection(using).in_atomic_block:
        transaction.on_commit(partial(_record, action, **values), using=using, robust=True)
    else:
        _record(action, **values)


@guarded
def _record(action: str, **values: object) -> None:
    """Beside the request or job that runs; else as an event of its own."""
    if current.get() is not None:
        flowaudit.record("auth", action, **values)
    else:
        get_audit().record("auth", action, **values)
