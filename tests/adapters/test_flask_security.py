"""Flask-Security with SQLAlchemy: its own signals, and not one query more than without us."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

from flowaudit import FlowAudit
from flowaudit.vault.tokens import Vault

pytest.importorskip("flask")
pytest.importorskip("flask_security")
pytest.importorskip("sqlalchemy")

import flask
import sqlalchemy as sa

from flowaudit_flask import FlowAuditFlask

Events = Callable[..., list[dict[str, Any]]]

PASSWORD = "correct horse battery"


@cache
def models() -> Any:
    from flask_security.models import sqla
    from sqlalchemy.orm import DeclarativeBase

    class Base(DeclarativeBase):
        pass

    sqla.FsModels.set_db_info(base_model=Base)

    class Role(Base, sqla.FsRoleMixin):  # type: ignore[misc]
        __tablename__ = "role"

    class User(Base, sqla.FsUserMixin):  # type: ignore[misc]
        __tablename__ = "user"

    return Base, User, Role


class Database:
    """An SQLite database in memory, and how often it was asked."""

    def __init__(self) -> None:
        from sqlalchemy.orm import scoped_session, sessionmaker
        from sqlalchemy.pool import StaticPool

        self.engine = sa.create_engine(
            "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
        )
        self.session = scoped_session(sessionmaker(bind=self.engine))
        self.queries: list[str] = []
        sa.event.listen(self.engine, "before_cursor_execute", self._count)
        models()[0].metadata.create_all(self.engine)

    def _count(self, connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        self.queries.append(statement)

    def close(self) -> None:
        self.session.remove()
        self.engine.dispose()


@pytest.fixture
def database() -> Iterator[Database]:
    database = Database()
    yield database
    database.close()


def build(database: Database, audit: FlowAudit | None) -> Any:
    from flask_security import (
        Security,
        SQLAlchemySessionUserDatastore,
        auth_required,
        current_user,
        hash_password,
    )

    _, user, role = models()
    app = flask.Flask("test")
    app.config |= {
        "SECRET_KEY": "only for tests",
        "SECURITY_PASSWORD_SALT": "only for tests",
        "SECURITY_PASSWORD_HASH": "pbkdf2_sha512",
        "SECURITY_PASSWORD_SINGLE_HASH": True,
        "SECURITY_CHANGEABLE": True,
        "SECURITY_SEND_PASSWORD_CHANGE_EMAIL": False,
        "WTF_CSRF_ENABLED": False,
    }
    store = SQLAlchemySessionUserDatastore(database.session, user, role)
    app.security = Security(app, store)
    app.teardown_appcontext(lambda exc: database.session.remove())

    @app.get("/mine")
    @auth_required("session")
    def mine() -> Any:
        return "mine"

    @app.get("/roles")
    @auth_required("session")
    def roles() -> Any:
        return str(len(current_user.roles))

    @app.get("/commits")
    @auth_required("session")
    def commits() -> Any:
        database.session.commit()  # every column of the user is dropped from memory
        return "done"

    with app.app_context():
        if store.find_user(email="ann@example.org") is None:
            nurse = store.create_role(name="nurse")
            store.create_user(
                email="ann@example.org",
                password=hash_password(PASSWORD),
                roles=[nurse],
                fs_uniquifier="a1",
            )
            database.session.commit()
    if audit is not None:
        FlowAuditFlask(app, audit=audit)
    return app


def sign_in(client: Any, password: str = PASSWORD) -> int:
    form = {"email": "ann@example.org", "password": password}
    return int(client.post("/login", json=form).status_code)


def test_flask_security_tells_sign_ins_failures_and_new_passwords(
    database: Database, audit: FlowAudit, events: Events
) -> None:
    client = build(database, audit).test_client()
    assert client.get("/mine", headers={"Accept": "application/json"}).status_code == 401
    assert client.get("/mine").status_code == 302
    assert sign_in(client, "wrong") == 400
    assert sign_in(client) == 200
    changed = {"password": PASSWORD, "new_password": "battery staple", "new_password_confirm": ""}
    changed["new_password_confirm"] = changed["new_password"]
    assert client.post("/change", json=changed).status_code == 200
    assert client.get("/roles").status_code == 200
    audit.flush()
    assert [(e["kind"], e.get("action"), e.get("reason"), e.get("roles")) for e in events()] == [
        ("request", None, "login-required", None),
        ("request", None, "login-required", None),
        ("auth", "login-failed", "bad-credentials", None),
        ("request", None, "bad-credentials", None),
        ("auth", "login", None, None),
        ("request", None, None, ["nurse"]),
        ("auth", "login", None, None),
        ("auth", "reset", None, None),
        ("request", None, None, ["nurse"]),
        ("request", None, None, ["nurse"]),
    ]
    failed, login, _again, reset = events("auth")
    assert failed["login"] == login["login"]
    assert failed["data"] == {"login_known": True}
    with Vault(audit.paths.vault) as vault:
        actor = vault.find("user:1")
    # a new password makes a new `fs_uniquifier`, but no new person
    assert {e["actor"] for e in events() if "actor" in e} == {actor}
    assert reset["data"] == {"target": actor}


@pytest.mark.parametrize("path", ["/mine", "/roles", "/commits"])
def test_no_query_is_added(database: Database, audit: FlowAudit, path: str) -> None:
    counted = []
    for app in (build(database, None), build(database, audit)):
        client = app.test_client()
        assert sign_in(client) == 200
        database.queries.clear()
        response = client.get(path)
        assert response.status_code == 200
        counted.append((database.queries[:], response.headers.get("Vary")))
    assert counted[0] == counted[1]
    assert audit.counters["capture_failed"] == 0


def test_a_user_whose_columns_were_dropped_is_known_all_the_same(
    database: Database, audit: FlowAudit, events: Events
) -> None:
    client = build(database, audit).test_client()
    sign_in(client)
    client.get("/commits")
    audit.flush()
    with Vault(audit.paths.vault) as vault:
        assert events()[-1]["actor"] == vault.find("user:1")
