"""Full and broken disks, locks, lost files, clocks: under an app that serves."""

import os
import shutil

import pytest

from faults import hindering
from faults.figures import table


@pytest.mark.parametrize("name", hindering.FAULTS)
def test_an_app_goes_on_and_nothing_is_lost_untold(name: str) -> None:
    fault = hindering.FAULTS[name]
    if fault.inject is not None and shutil.which("strace") is None:
        message = "no strace on PATH: no disk fault was made"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    if fault.options.get("nobody") and os.geteuid() != 0 and os.environ.get("CI") is None:
        pytest.skip("only root can become a user without rights")
    figures = hindering.hinder(name)
    assert all(figure.ok for figure in figures), table(figures)


def test_two_hosts_with_one_source_id_lose_nothing_and_are_told() -> None:
    figures = hindering.same_source()
    assert all(figure.ok for figure in figures), table(figures)
