"""Nothing forwarded is believed unless a declared proxy says it."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowaudit.policy.forwarded import forwarded_nodes
from flowaudit.policy.proxies import Proxies


@pytest.mark.parametrize(
    ("declared", "peer", "header", "client", "is_untrusted"),
    [
        (0, "10.0.0.1", "", "10.0.0.1", False),
        (0, "10.0.0.1", "1.2.3.4", "10.0.0.1", True),
        (1, "10.0.0.1", "1.2.3.4", "1.2.3.4", False),
        (1, "10.0.0.1", "9.9.9.9, 1.2.3.4", "1.2.3.4", False),
        (2, "10.0.0.1", "9.9.9.9, 1.2.3.4, 10.0.0.2", "1.2.3.4", False),
        (2, "10.0.0.1", "1.2.3.4", "10.0.0.1", True),
        (["10.0.0.0/8"], "10.0.0.1", "9.9.9.9, 1.2.3.4, 10.0.0.2", "1.2.3.4", False),
        (["10.0.0.0/8"], "8.8.8.8", "1.2.3.4", "8.8.8.8", True),
        (["10.0.0.0/8"], "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3", False),
        (["10.0.0.0/8"], "10.0.0.1", "<script>", "10.0.0.1", True),
        (["10.0.0.0/8"], "10.0.0.1", "1.2.3.4:5678", "1.2.3.4", False),
        (["10.0.0.0/8"], "10.0.0.1", "[2001:db8::1]:443", "2001:db8::1", False),
        (["10.0.0.0/8"], "10.0.0.1", "::ffff:1.2.3.4", "1.2.3.4", False),
        (["10.0.0.0/8"], "10.0.0.1", "unknown", "10.0.0.1", True),
        (["fd00::/8"], "fd00::1", "2001:db8::7", "2001:db8::7", False),
        (["10.0.0.0/8"], "10.0.0.1", "1.2.3.4,", "1.2.3.4", False),
        (["10.0.0.0/8"], "10.0.0.1", "9.9.9.9, , 1.2.3.4,\t, 10.0.0.2 ,", "1.2.3.4", False),
        (["10.0.0.0/8"], "10.0.0.1", ",unknown,", "10.0.0.1", True),
        (["10.0.0.0/8"], "10.0.0.1", " , ", "10.0.0.1", False),
        (["10.0.0.0/8"], "8.8.8.8", ",", "8.8.8.8", True),
        (1, "10.0.0.1", "9.9.9.9, 1.2.3.4, ", "1.2.3.4", False),
        (2, "10.0.0.1", "1.2.3.4,, 10.0.0.2", "1.2.3.4", False),
        (1, "10.0.0.1", ",", "10.0.0.1", True),
        (["10.0.0.0/8"], "", "1.2.3.4", "", True),
        (1, "unix:", "1.2.3.4", "1.2.3.4", False),
    ],
)
def test_the_client_behind_proxies(
    declared: int | list[str], peer: str, header: str, client: str, is_untrusted: bool
) -> None:
    assert Proxies(declared).resolve(peer, header) == (client, is_untrusted)


def test_a_long_header_is_looked_at_from_the_right_only() -> None:
    header = ", ".join(["1.1.1.1"] * 100_000 + ["2.2.2.2"])
    assert Proxies(1).resolve("10.0.0.1", header) == ("2.2.2.2", False)


NET = ["10.0.0.0/8"]


@pytest.mark.parametrize(
    ("declared", "peer", "header", "client", "is_untrusted"),
    [
        (0, "10.0.0.1", "for=1.2.3.4", "10.0.0.1", True),
        (NET, "8.8.8.8", "for=1.2.3.4", "8.8.8.8", True),
        (NET, "10.0.0.1", "for=1.2.3.4", "1.2.3.4", False),
        (NET, "10.0.0.1", "For=1.2.3.4;Proto=https;by=203.0.113.43", "1.2.3.4", False),
        (NET, "10.0.0.1", "proto=https; for=1.2.3.4 ; host=example.org", "1.2.3.4", False),
        (NET, "10.0.0.1", "for=9.9.9.9, for=1.2.3.4, for=10.0.0.2", "1.2.3.4", False),
        (NET, "10.0.0.1", "for=10.0.0.3,for=10.0.0.2", "10.0.0.3", False),
        (NET, "10.0.0.1", 'for="1.2.3.4:5678"', "1.2.3.4", False),
        (NET, "10.0.0.1", "for=1.2.3.4:5678", "1.2.3.4", False),
        (NET, "10.0.0.1", 'for="[2001:db8::1]"', "2001:db8::1", False),
        (NET, "10.0.0.1", 'for="[2001:db8::1]:4711"', "2001:db8::1", False),
        (NET, "10.0.0.1", 'for="[2001:DB8:0::1]:_port"', "2001:db8::1", False),
        (NET, "10.0.0.1", "for=[2001:db8::1]", "2001:db8::1", False),
        (NET, "10.0.0.1", 'for="[::ffff:1.2.3.4]"', "1.2.3.4", False),
        (NET, "10.0.0.1", r'for="1\.2\.3\.4"', "1.2.3.4", False),
        (NET, "10.0.0.1", "for=_hidden", "10.0.0.1", True),
        (NET, "10.0.0.1", "for=unknown", "10.0.0.1", True),
        (NET, "10.0.0.1", "for=9.9.9.9, for=_hidden, for=10.0.0.2", "10.0.0.2", True),
        (NET, "10.0.0.1", "for=9.9.9.9, for=unknown, for=1.2.3.4", "1.2.3.4", False),
        (NET, "10.0.0.1", "proto=https", "10.0.0.1", True),
        (NET, "10.0.0.1", "by=1.2.3.4", "10.0.0.1", True),
        (NET, "10.0.0.1", "for=1.2.3.4;for=9.9.9.9", "10.0.0.1", True),
        (NET, "10.0.0.1", "for=1.2.3.4 for=9.9.9.9", "10.0.0.1", True),
        (NET, "10.0.0.1", "1.2.3.4", "10.0.0.1", True),
        (NET, "10.0.0.1", "for=", "10.0.0.1", True),
        (NET, "10.0.0.1", "for=1.2.3.4,", "1.2.3.4", False),
        (NET, "10.0.0.1", "for=9.9.9.9, , for=1.2.3.4,\t,for=10.0.0.2 ,", "1.2.3.4", False),
        (NET, "10.0.0.1", "for=1.2.3.4, ;", "10.0.0.1", True),
        (NET, "10.0.0.1", 'for=1.2.3.4, ""', "10.0.0.1", True),
        (NET, "10.0.0.1", " ,", "10.0.0.1", False),
        (1, "10.0.0.1", "for=9.9.9.9,for=1.2.3.4,,", "1.2.3.4", False),
        (2, "10.0.0.1", ",for=1.2.3.4,,for=10.0.0.2", "1.2.3.4", False),
        (1, "10.0.0.1", ",,", "10.0.0.1", True),
        (NET, "10.0.0.1", 'for="1.2.3.4', "10.0.0.1", True),
        (NET, "10.0.0.1", 'for=", for=1.2.3.4', "1.2.3.4", False),
        (NET, "10.0.0.1", 'for="x, for=9.9.9.9, for="[2001:db8::1]"', "2001:db8::1", False),
        (NET, "10.0.0.1", 'for="\\", for=1.2.3.4', "1.2.3.4", False),
        (NET, "10.0.0.1", 'for=1.2.3.4;host="a, for=9.9.9.9"', "1.2.3.4", False),
        (NET, "10.0.0.1", 'for=1.2.3.4;host="a\\", for=9.9.9.9"', "1.2.3.4", False),
        (1, "10.0.0.1", "for=9.9.9.9, for=1.2.3.4", "1.2.3.4", False),
        (2, "10.0.0.1", "for=1.2.3.4, for=10.0.0.2", "1.2.3.4", False),
        (2, "10.0.0.1", "for=1.2.3.4", "10.0.0.1", True),
        (1, "10.0.0.1", "for=_hidden", "10.0.0.1", True),
        (["fd00::/8"], "fd00::1", 'for="[2001:db8::7]", for="[fd00::2]"', "2001:db8::7", False),
    ],
)
def test_the_client_by_rfc_7239(
    declared: int | list[str], peer: str, header: str, client: str, is_untrusted: bool
) -> None:
    assert Proxies(declared).resolve(peer, "", header) == (client, is_untrusted)


@pytest.mark.parametrize(
    ("forwarded_for", "forwarded", "client", "is_untrusted"),
    [
        ("1.2.3.4", "for=1.2.3.4", "1.2.3.4", False),
        ("1.2.3.4, 10.0.0.2", "for=1.2.3.4;proto=https", "1.2.3.4", False),
        ("1.2.3.4", "for=9.9.9.9", "1.2.3.4", True),
        ("9.9.9.9", "for=1.2.3.4", "9.9.9.9", True),
        ("1.2.3.4", "for=_hidden", "1.2.3.4", True),
        ("1.2.3.4", "rubbish", "1.2.3.4", True),
        ("rubbish", "for=1.2.3.4", "10.0.0.1", True),
    ],
    ids=["same", "same-client", "other", "other-too", "hidden", "malformed", "both-odd"],
)
def test_where_both_headers_disagree_the_older_counts_and_it_is_told(
    forwarded_for: str, forwarded: str, client: str, is_untrusted: bool
) -> None:
    assert Proxies(NET).resolve("10.0.0.1", forwarded_for, forwarded) == (client, is_untrusted)


@given(st.text('for=";,\\[]:1. _h', max_size=60))
def test_no_client_can_hide_what_a_proxy_adds(sent: str) -> None:
    for added in ("for=1.2.3.4", 'for="1.2.3.4:80";proto=https', 'by="_p";for=1.2.3.4'):
        assert Proxies(NET).resolve("10.0.0.1", "", f"{sent}, {added}") == ("1.2.3.4", False)


@pytest.mark.parametrize("piece", ["for=1.1.1.1, ", '"', "\\", ",", 'a="', "for=a;"])
def test_a_hostile_header_costs_little(piece: str) -> None:
    began = time.perf_counter()
    nodes = forwarded_nodes(piece * 100_000, 32)
    assert len(nodes) <= 32
    assert time.perf_counter() - began < 1
