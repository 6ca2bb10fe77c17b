"""A token bucket for each client, in bounded memory."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable

MOST_CLIENTS = 10_000
"""Beyond that the client that was not heard of for longest is forgotten, and starts anew."""
_IPV6_PREFIX = 64
"""Bits that one subscriber holds: the addresses below them are all the same client's."""


class Buckets:
    """So many calls at once for each client, and so many a second after that."""

    def __init__(
        self,
        *,
        at_once: int,
        per_second: float,
        clock: Callable[[], float],
        most: int = MOST_CLIENTS,
    ) -> None:
        """`clock` is monotonic, in seconds."""
        self._at_once = float(at_once)
        self._per_second = per_second
        self._clock = clock
        self._most = most
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._levels)

    def take(self, client: str) -> float:
        """0 where the call is within the limit, else the seconds until the next one is."""
        now = self._clock()
        level, since = self._levels.pop(client, (self._at_once, now))
        level = min(self._at_once, level + (now - since) * self._per_second)
        wait = 0.0 if level >= 1 else (1 - level) / self._per_second
        self._levels[client] = (level if wait else level - 1, now)
        if len(self._levels) > self._most:
            self._levels.popitem(last=False)
        return wait


def client_of(address: str | None) -> str:
    """Who counts as one client: an IPv4 address, the /64 of an IPv6 one.

    It is the peer's own address. A header that a proxy adds is not believed: anybody can send it.
    """
    if not address:
        return "unknown"
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((int(found), _IPV6_PREFIX), strict=False))
