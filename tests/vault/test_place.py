"""Where a trail or vault is, and that no password of it is ever told."""

from pathlib import Path

import pytest

from flowaudit.errors import SettingError
from flowaudit.settings import resolve
from flowaudit.trail.paths import TrailPaths
from flowaudit.vault.place import DatabaseUrl, is_database, place_of


@pytest.mark.parametrize(
    ("uri", "shown", "stem"),
    [
        ("postgresql://h/trail", "postgresql://h/trail", "trail"),
        ("postgres://ann@h:5433/trail", "postgresql://ann@h:5433/trail", "trail"),
        ("postgresql://ann:s3cret@h/trail", "postgresql://ann@h/trail", "trail"),
        ("postgresql://ann:s3cret@[::1]:5/t", "postgresql://ann@[::1]:5/t", "t"),
        ("postgresql://ann:s3:c@ret@h/t", "postgresql://ann@h/t", "t"),
        ("postgresql:///t?host=/run/pg&password=s3cret", "postgresql:///t?host=/run/pg", "t"),
        ("postgresql:///t?passfile=/s3cret&user=ann", "postgresql:///t?user=ann", "t"),
        ("postgresql://", "postgresql://", "flowaudit"),
    ],
)
def test_a_database_is_told_without_its_password(uri: str, shown: str, stem: str) -> None:
    place = place_of(uri)
    assert isinstance(place, DatabaseUrl)
    assert (str(place), place.stem, place.uri) == (shown, stem, uri)
    assert "s3cret" not in f"{place!r}{place}"


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql:",
        "postgres:h",
        "postgresql:/h/t",
        "postgresql://h /t?x",
        "postgresql://[h/t",
        "postgresql://ann:s3cret@h/t?x",
        "postgresql://h/t\n",
    ],
)
def test_a_malformed_uri_is_refused_and_not_repeated(uri: str) -> None:
    assert is_database(uri)
    with pytest.raises(SettingError, match="postgresql://USER@HOST/DATABASE") as caught:
        place_of(uri)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("text", ["trail.db", "./postgresql.db", "/var/postgres/x", "mysql://h/d"])
def test_anything_else_is_a_file(text: str) -> None:
    assert place_of(text) == Path(text).absolute()


def test_a_database_trail_has_its_vault_there_and_its_files_in_the_working_folder() -> None:
    paths = TrailPaths.of("postgresql://h/trail")
    here = Path.cwd()
    assert paths.vault == paths.trail == DatabaseUrl("postgresql://h/trail")
    assert (paths.key, paths.public_key) == (here / "flowaudit.key", here / "flowaudit.pub")
    assert paths.spool == here / "flowaudit.spool"


def test_vault_and_files_may_be_named() -> None:
    paths = TrailPaths.of("postgresql://h/t", vault="postgresql://h/v", key="/k/a.pem", spool="/s")
    assert paths.vault == DatabaseUrl("postgresql://h/v")
    assert (paths.key, paths.public_key) == (Path("/k/a.pem"), Path("/k/a.pem.pub"))
    assert paths.spool == Path("/s")


@pytest.mark.parametrize("name", ["queue_size", "group_ms"])
def test_a_setting_that_is_refused_does_not_tell_a_password(name: str) -> None:
    with pytest.raises(SettingError) as caught:
        resolve({name: "postgresql://ann:s3cret@h/t?password=s3cret"}, {}, {})
    assert "s3cret" not in str(caught.value)
    assert "postgresql://ann:…@h/t?password=…" in str(caught.value)
