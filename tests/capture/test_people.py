"""What a user object tells of itself, and that nothing is loaded for it."""

from typing import Any
from uuid import UUID

import pytest
from starlette.authentication import BaseUser, SimpleUser, UnauthenticatedUser

from flowaudit.capture.people import identity_of, name_of, roles_of


class Thing:
    def __init__(self, **fields: Any) -> None:
        vars(self).update(fields)


class Row(Thing):
    """As SQLAlchemy's and Django's models: to ask for what is not there would load it."""

    __mapper__ = object()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise AssertionError(f"{name} was asked for")


class Stored:
    """What SQLAlchemy keeps beside a row."""

    identity = (5,)
    expired_attributes = frozenset({"id"})


class Late(Thing):
    @property
    def roles(self) -> list[str]:
        raise AssertionError("roles were asked for")


@pytest.mark.parametrize(
    ("user", "identity"),
    [
        (None, None),
        ("", None),
        ("ann", "user:ann"),
        ("service:cron", "service:cron"),
        ("auth0|5", "user:auth0|5"),
        ({"sub": "5", "username": "ann"}, "user:5"),
        ({"active": True}, None),
        (Thing(id=5), "user:5"),
        (Thing(id=0), "user:0"),
        (Thing(id=True, username="ann"), "user:ann"),
        (Thing(id=UUID(int=1)), "user:00000000-0000-0000-0000-000000000001"),
        (Thing(id=5, is_authenticated=False), None),
        (Thing(), None),
        (SimpleUser("ann"), "user:ann"),
        (BaseUser(), None),
        (UnauthenticatedUser(), None),
        (Row(id=5), "user:5"),
        (Row(), None),
        (Row(id=4, _sa_instance_state=Stored()), "user:5"),
    ],
)
def test_identity(user: Any, identity: str | None) -> None:
    assert identity_of(user) == identity


@pytest.mark.parametrize(
    ("user", "roles"),
    [
        (Thing(roles=["a", "b"]), ["a", "b"]),
        (Thing(roles="a"), ["a"]),
        (Thing(roles=[Thing(name="a"), Row(), Thing(name=3)]), ["a"]),
        (Thing(roles=object()), None),
        ({"roles": ("a",)}, ["a"]),
        (Row(), None),
        (Late(), None),
        (None, None),
    ],
)
def test_roles(user: Any, roles: list[str] | None) -> None:
    assert roles_of(user) == roles


@pytest.mark.parametrize(
    ("user", "name"),
    [(Thing(email="a@x"), "a@x"), (Thing(username="ann", email="a@x"), "ann"), (Row(), None)],
)
def test_name(user: Any, name: str | None) -> None:
    assert name_of(user) == name
