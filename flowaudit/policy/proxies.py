"""The client's address: the peer's, or what declared proxies say of it."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

__all__ = ["Proxies"]

MAX_HOPS: Final = 32
"""Entries of an `X-Forwarded-For` that are looked at, from the right."""

CACHE_SIZE: Final = 8_192
"""Pairs of peer and header remembered."""

Resolved = tuple[str, bool]
"""The client's address, and whether a forwarded header was there that nobody vouches for."""


class Proxies:
    """The declared proxies: networks, or how many stand in front. Nothing else is believed."""

    def __init__(self, declared: int | Sequence[str] = 0) -> None:
        self._count = declared if isinstance(declared, int) else 0
        self._networks: tuple[IPv4Network | IPv6Network, ...] = (
            () if isinstance(declared, int) else tuple(ip_network(net, False) for net in declared)
        )
        self._cache: dict[tuple[str, str], Resolved] = {}

    def resolve(self, peer: str, forwarded_for: str) -> Resolved:
        """The client behind a peer, given its `X-Forwarded-For` (empty if absent).

        With networks: from the right, the first address that is not a declared proxy. With a
        count: that many entries from the right. An entry that is no address ends the walk at the
        last one that a declared proxy vouched for.
        """
        if not forwarded_for:
            return peer, False
        known = self._cache.get((peer, forwarded_for))
        if known is None:
            if len(self._cache) >= CACHE_SIZE:
                self._cache.clear()
            known = self._cache[peer, forwarded_for] = self._resolve(peer, forwarded_for)
        return known

    def _resolve(self, peer: str, forwarded_for: str) -> Resolved:
        hops = [_address(part) for part in forwarded_for.split(",")[-MAX_HOPS:]]
        if self._count:
            return self._by_count(peer, hops)
        if not self._is_proxy(peer):
            return peer, True
        client = peer
        for hop in reversed(hops):
            if hop is None:
                return client, True
            client = hop
            if not self._is_proxy(hop):
                break
        return client, False

    def _by_count(self, peer: str, hops: list[str | None]) -> Resolved:
        if len(hops) < self._count:
            return peer, True
        client = hops[-self._count]
        return (peer, True) if client is None else (client, False)

    def _is_proxy(self, address: str) -> bool:
        if not self._networks:
            return False
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in net for net in self._networks if net.version == parsed.version)


def _address(text: str) -> str | None:
    """An address out of one entry: without port, brackets or zone; IPv4-mapped becomes IPv4."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        parsed = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(parsed, "ipv4_mapped", None)
    return str(mapped or parsed)
