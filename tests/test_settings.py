"""Settings: where a value comes from, and what a wrong one says."""

from pathlib import Path

import pytest

from flowaudit import FlowAudit
from flowaudit.errors import FlowauditError, NotATrailError, SettingError
from flowaudit.settings import SETTINGS, resolve


def test_a_keyword_goes_before_the_environment_before_the_file() -> None:
    environ = {"FLOWAUDIT_SERVICE": "environ", "FLOWAUDIT_VERSION": "2"}
    file = {"service": "file", "version": "3", "group_ms": 70}
    got = resolve({"service": "keyword"}, environ, file)
    assert (got["service"], got["version"], got["group_ms"]) == ("keyword", "2", 70)
    assert got["trail"] == "flowaudit.db"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("trail", ""),
        ("trusted_proxies", ["not a network"]),
        ("trusted_proxies", 99),
        ("trusted_proxies", True),
        ("query_keys", 5),
        ("login_paths", ["login"]),
        ("login_paths", ["https://sso.example"]),
        ("login_paths", ["ftp://sso.example/in"]),
        ("queue_size", 1),
        ("queue_size", "many"),
        ("group_ms", 0),
        ("clock", 5),
        ("service", 7),
        ("beacon", "flow"),
        ("beacon", "/"),
        ("beacon", "/flow/"),
        ("beacon", "/a//b"),
        ("beacon", "/a/../b"),
        ("beacon", "/a?b"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(name: str, value: object) -> None:
    with pytest.raises(SettingError) as caught:
        resolve({name: value}, {}, {})
    assert name in str(caught.value)
    assert "expected" in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value", "name", "expected"),
    [
        ("FLOWAUDIT_TRUSTED_PROXIES", "2", "trusted_proxies", 2),
        ("FLOWAUDIT_TRUSTED_PROXIES", "10.0.0.0/8, ::1", "trusted_proxies", ("10.0.0.0/8", "::1")),
        ("FLOWAUDIT_QUERY_KEYS", "page,sort", "query_keys", ("page", "sort")),
        ("FLOWAUDIT_GROUP_MS", "20", "group_ms", 20),
        ("FLOWAUDIT_BEACON", "/_flow", "beacon", "/_flow"),
        ("FLOWAUDIT_BEACON", "/app/_flow.v1", "beacon", "/app/_flow.v1"),
    ],
)
def test_the_environment_is_read(variable: str, value: str, name: str, expected: object) -> None:
    assert resolve({}, {variable: value}, {})[name] == expected


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(SettingError, match="trial"):
        resolve({"trial": "x"}, {}, {})
    with pytest.raises(SettingError, match="trial"):
        resolve({}, {}, {"trial": "x"})


def test_every_setting_is_a_keyword_of_flowaudit() -> None:
    import inspect

    keywords = set(inspect.signature(FlowAudit.__init__).parameters) - {"self"}
    assert keywords == {setting.name for setting in SETTINGS}


def test_a_trail_that_is_no_trail_is_refused_at_start_up(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    other.write_text("hello")
    with pytest.raises(NotATrailError, match="not a flowaudit trail"):
        FlowAudit(trail=other)
    assert other.read_text() == "hello"
    with pytest.raises(FlowauditError):
        FlowAudit(trail=tmp_path)
    with pytest.raises(SettingError, match="folder that exists"):
        FlowAudit(trail=tmp_path / "none" / "a.db")


def test_a_trail_that_may_not_be_written_is_refused_at_start_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(SettingError, match="may write"):
        FlowAudit(trail=tmp_path / "a.db")


def test_an_unknown_policy_key_is_refused_at_start_up(tmp_path: Path) -> None:
    policy = tmp_path / "p.toml"
    policy.write_text("[flowaudit]\ntrial = 'x'\n")
    with pytest.raises(SettingError, match="trial"):
        FlowAudit(trail=tmp_path / "a.db", policy=policy)


def test_nothing_is_opened_before_the_first_event(tmp_path: Path) -> None:
    audit = FlowAudit(trail=tmp_path / "a.db")
    assert list(tmp_path.iterdir()) == []
    audit.close()
    assert list(tmp_path.iterdir()) == []


def test_a_query_key_called_like_a_secret_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"query_keys.*reset_token"):
        FlowAudit(trail=str(tmp_path / "a.db"), query_keys=["page", "reset_token"])
