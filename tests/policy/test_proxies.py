"""Nothing forwarded is believed unless a declared proxy says it."""

import pytest

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
