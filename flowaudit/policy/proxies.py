"""The client's address: the peer's, or what declared proxies say of it.

Proxies say it in `X-Forwarded-For` or `Forwarded` (RFC 7239). Whoever stands in front of them can
send both, so a proxy must take away the one that it does not write.
"""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

from .forwarded import forwarded_nodes

__all__ = ["Proxies", "address"]

MAX_HOPS: Final = 32
"""Entries of a forwarded header that are looked at, from the right."""

CACHE_SIZE: Final = 8_192
"""Peers with their headers remembered."""

Resolved = tuple[str, bool]
"""The client's address, and whether a forwarded header was there that nobody vouches for."""


class Proxies:
    """The declared proxies: networks, or how many stand in front. Nothing else is believed."""

    def __init__(self, declared: int | Sequence[str] = 0) -> None:
        self._count = declared if isinstance(declared, int) else 0
        self._networks: tuple[IPv4Network | IPv6Network, ...] = (
            () if isinstance(declared, int) else tuple(ip_network(net, False) for net in declared)
        )
        self.are_declared = bool(declared)
        """Whether anybody may be believed at all."""
        self._cache: dict[tuple[str, str, str], Resolved] = {}

    def resolve(self, peer: str, forwarded_for: str, forwarded: str = "") -> Resolved:
        """The client behind a peer, given its forwarded headers (empty if absent).

        With networks: from the right, the first address that is not a declared proxy. With a
        count: that many entries from the right. An entry that is no address ends the walk at the
        last one that a declared proxy vouched for; an empty one is passed over. If the two
        headers do not say the same, `X-Forwarded-For` counts, and one of them nobody vouches for.
        """
        if not forwarded_for and not forwarded:
            return peer, False
        key = (peer, forwarded_for, forwarded)
        known = self._cache.get(key)
        if known is None:
            if len(self._cache) >= CACHE_SIZE:
                self._cache.clear()
            known = self._cache[key] = self._resolve(*key)
        return known

    def _resolve(self, peer: str, forwarded_for: str, forwarded: str) -> Resolved:
        said = []
        if forwarded_for:
            nodes = [node for node in forwarded_for.split(",") if node.strip(" \t")]
            said.append(self._walk(peer, nodes[-MAX_HOPS:]))
        if forwarded:
            said.append(self._walk(peer, forwarded_nodes(forwarded, MAX_HOPS)))
        client, is_untrusted = said[0]
        return client, is_untrusted or said[-1] != said[0]

    def _walk(self, peer: str, nodes: Sequence[str | None]) -> Resolved:
        hops = [address(node) if node is not None else None for node in nodes]
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


def address(text: str) -> str | None:
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
