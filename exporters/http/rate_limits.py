"""How often a client may do something: a bucket of tokens for each, in bounded memory.

A bucket holds `burst` at most and fills by `per_second`; what is done takes one out. Whoever has
not come for longest is forgotten first, and begins with a full bucket again.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Hashable
from dataclasses import dataclass

MAX_REMEMBERED = 10_000
_IPV6_SUBSCRIBER = 64
"""Bits of an IPv6 address that one subscriber holds: all the addresses below them are its own."""


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class RateLimiter:
    """Buckets by client. Moments are seconds on one clock that is passed in."""

    def __init__(
        self, *, burst: int, per_second: float, max_remembered: int = MAX_REMEMBERED
    ) -> None:
        self._burst = burst
        self._per_second = per_second
        self._max_remembered = max_remembered
        self._buckets: dict[Hashable, _Bucket] = {}

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._buckets)

    def take(self, client: Hashable, now: float) -> int:
        """Take one out where there is one, which is 0; else how many seconds until there is."""
        left = self._left(client, now)
        wait = 0 if left >= 1 else math.ceil((1 - left) / self._per_second)
        # Put anew at the end: the first is who has not come for longest.
        self._buckets.pop(client, None)
        self._buckets[client] = _Bucket(left - 1 if wait == 0 else left, now)
        if len(self._buckets) > self._max_remembered:
            del self._buckets[next(iter(self._buckets))]
        return wait

    def _left(self, client: Hashable, now: float) -> float:
        bucket = self._buckets.get(client)
        if bucket is None:
            return float(self._burst)
        return min(self._burst, bucket.left + max(0.0, now - bucket.at) * self._per_second)


def client_of(address: str | None) -> str:
    """Who counts as one client: an IPv4 address, or the /64 of an IPv6 one."""
    try:
        found = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return address or ""
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((int(found), _IPV6_SUBSCRIBER), strict=False))
