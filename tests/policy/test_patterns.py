"""Path patterns: what they match, and that no path makes them slow."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowaudit.policy.patterns import compile_pattern


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("/health", "/health", True),
        ("/health", "/health/", False),
        ("/health", "/healthy", False),
        ("/static/**", "/static/a/b.css", True),
        ("/static/**", "/static/", True),
        ("/static/**", "/static", False),
        ("/u/*/avatar", "/u/7/avatar", True),
        ("/u/*/avatar", "/u/7/x/avatar", False),
        ("/**/edit", "/a/b/edit", True),
        ("/**/edit", "/edit", False),
        ("/**a*b", "/xa/yab", True),
        ("/a.c", "/abc", False),
        ("/**", "/line\nbreak", True),
        ("**", "", True),
    ],
)
def test_a_pattern_fits(pattern: str, path: str, fits: bool) -> None:
    assert bool(compile_pattern(pattern).fullmatch(path)) is fits


@given(st.text("ab/*", min_size=1, max_size=10), st.text("ab/", max_size=16))
def test_no_match_is_lost_by_trying_only_once(pattern: str, path: str) -> None:
    if "***" in pattern:
        with pytest.raises(ValueError, match=re.escape(pattern)):
            compile_pattern(pattern)
        return
    stands = {"**": ".*", "*": "[^/]*"}
    parts = re.split(r"(\*\*|\*)", pattern)
    plain = re.compile("".join(stands.get(part) or re.escape(part) for part in parts), re.DOTALL)
    assert bool(compile_pattern(pattern).fullmatch(path)) is bool(plain.fullmatch(path))


@pytest.mark.parametrize("pattern", ["/**a**a**a**a**b", "/*a*a*a*a*a*b", "/**/*a*a*b"])
def test_a_hostile_path_costs_little(pattern: str) -> None:
    compiled, path = compile_pattern(pattern), "/" + "a" * 4_096
    began = time.perf_counter()
    assert compiled.fullmatch(path) is None
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize("pattern", ["", "/***", "/" + "a" * 200, "/" + "*/" * 21])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError):
        compile_pattern(pattern)
