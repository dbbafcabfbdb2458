"""The outcome table, row by row."""

from typing import Any

import pytest

from flowaudit.policy.classify import OUTCOMES, classify, classify_status, clean_reason


class PermissionDenied(Exception):
    __module__ = "django.core.exceptions"


class Mine(PermissionError):
    pass


def raised_while(handled: Exception, *, is_hidden: bool = False) -> Exception:
    """What a handler raises that fails while it answers an exception."""
    try:
        try:
            raise handled
        except Exception as error:
            raise ValueError("the handler is broken") from None if is_hidden else error
    except ValueError as error:
        return error


@pytest.mark.parametrize(
    ("status", "said", "outcome", "reason"),
    [
        (200, {"denied": "not-my-patient"}, "denied", "not-my-patient"),
        (404, {"hidden": True}, "hidden", "hidden"),
        (200, {"hidden": True, "denied": "x"}, "hidden", "hidden"),
        (200, {"cause": "bad-credentials"}, "denied", "bad-credentials"),
        (401, {"cause": "bad-credentials"}, "denied", "bad-credentials"),
        (423, {}, "denied", "locked"),
        (200, {"cause": "locked"}, "denied", "locked"),
        (401, {}, "denied", "login-required"),
        (302, {"cause": "login-required"}, "denied", "login-required"),
        (403, {"cause": "csrf"}, "denied", "csrf"),
        (400, {"cause": "origin"}, "denied", "origin"),
        (400, {"cause": "bad-host"}, "denied", "bad-host"),
        (400, {"cause": "validation"}, "invalid", "validation"),
        (400, {"cause": "too-large"}, "invalid", "too-large"),
        (403, {}, "denied", "forbidden"),
        (500, {"exception": PermissionDenied()}, "denied", "forbidden"),
        (500, {"exception": Mine()}, "denied", "forbidden"),
        (500, {"exception": raised_while(Mine())}, "denied", "forbidden"),
        (500, {"exception": raised_while(KeyError())}, "error", "ValueError"),
        (500, {"exception": raised_while(Mine(), is_hidden=True)}, "error", "ValueError"),
        (405, {}, "denied", "method"),
        (501, {}, "denied", "method"),
        (429, {}, "throttled", "rate-limit"),
        (500, {"exception": ZeroDivisionError()}, "error", "ZeroDivisionError"),
        (200, {"exception": ValueError()}, "error", "ValueError"),
        (404, {}, "missing", "not-found"),
        (410, {}, "missing", "not-found"),
        (400, {}, "invalid", "bad-request"),
        (409, {}, "invalid", "bad-request"),
        (413, {}, "invalid", "too-large"),
        (414, {}, "invalid", "too-large"),
        (415, {}, "invalid", "bad-request"),
        (422, {}, "invalid", "validation"),
        (431, {}, "invalid", "too-large"),
        (500, {}, "error", "status"),
        (503, {}, "error", "status"),
        (499, {"aborted": True}, "aborted", "client-left"),
        (200, {"aborted": True}, "aborted", "client-left"),
        (None, {"aborted": True}, "aborted", "client-left"),
        (400, {"aborted": True}, "aborted", "client-left"),
        (422, {"aborted": True, "cause": "validation"}, "aborted", "client-left"),
        (500, {"aborted": True}, "aborted", "client-left"),
        (500, {"aborted": True, "exception": ValueError()}, "aborted", "client-left"),
        (500, {"aborted": True, "exception": Mine()}, "denied", "forbidden"),
        (200, {"aborted": True, "cause": "bad-credentials"}, "denied", "bad-credentials"),
        (400, {"aborted": True, "cause": "csrf"}, "denied", "csrf"),
        (400, {"aborted": True, "cause": "too-large"}, "invalid", "too-large"),
        (413, {"aborted": True}, "invalid", "too-large"),
        (404, {"aborted": True}, "missing", "not-found"),
        (429, {"aborted": True}, "throttled", "rate-limit"),
        (403, {"aborted": True}, "denied", "forbidden"),
        (200, {"cause": "incomplete"}, "error", "incomplete"),
        (302, {"cause": "incomplete"}, "error", "incomplete"),
        (200, {"cause": "incomplete", "denied": "x"}, "denied", "x"),
        (200, {"cause": "incomplete", "aborted": True}, "aborted", "client-left"),
        (200, {"cause": "incomplete", "exception": ValueError()}, "error", "ValueError"),
        (403, {"cause": "incomplete"}, "denied", "forbidden"),
        (404, {"cause": "incomplete"}, "missing", "not-found"),
        (500, {"cause": "incomplete"}, "error", "status"),
        (200, {}, "ok", None),
        (304, {}, "ok", None),
        (302, {}, "ok", None),
        (None, {}, "ok", None),
        (402, {}, "invalid", "bad-request"),
        (407, {}, "denied", "login-required"),
        (451, {}, "denied", "legal"),
        (499, {}, "aborted", "client-left"),
        (0, {}, "error", "status"),
        (600, {}, "error", "status"),
    ],
)
def test_first_row_that_fits_wins(
    status: int | None, said: dict[str, Any], outcome: str, reason: str | None
) -> None:
    assert tuple(classify(status, **said)) == (outcome, reason)
    assert outcome in OUTCOMES


@pytest.mark.parametrize(
    "status", [402, 406, 408, 409, 411, 418, 421, 424, 425, 426, 428, 444, 498]
)
def test_a_4xx_without_a_row_of_its_own_counts_as_400(status: int) -> None:
    assert classify_status(status) == classify_status(400) == ("invalid", "bad-request")


@pytest.mark.parametrize("status", range(100, 600))
def test_a_status_alone_gives_the_same_as_the_whole_table(status: int) -> None:
    assert classify(status) == classify_status(status)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("not-mine", "not-mine"),
        ("Not My Patient!", "not-my-patient"),
        ("x" * 50, "x" * 40),
        ("ä", "denied"),
        ("", "denied"),
    ],
)
def test_reasons_are_brought_into_shape(given: str, kept: str) -> None:
    assert clean_reason(given) == kept


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ExceptionGroup("tasks", [PermissionError()]), "denied"),
        (ExceptionGroup("outer", [ExceptionGroup("inner", [PermissionError()])]), "denied"),
        (ExceptionGroup("tasks", [PermissionError(), ValueError()]), "error"),
    ],
)
def test_a_group_of_one_is_what_it_holds(error: BaseException, outcome: str) -> None:
    assert classify(500, exception=error).outcome == outcome
