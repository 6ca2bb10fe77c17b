"""How much a client may do: requests in buckets, connections counted; and what was turned away.

A bucket holds `burst` at most and fills by `per_second`; what is done takes one out. Whoever has
not come for longest is forgotten first, and begins with a full bucket again.
"""

from __future__ import annotations

import ipaddress
import math
from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from exporters.prometheus.build import PREFIX

MAX_REMEMBERED = 10_000
_IPV6_SUBSCRIBER = 64
"""Bits of an IPv6 address that one subscriber holds: all the addresses below them are its own."""
MAX_CONNECTIONS = 768
"""Below the 1,024 open files that a process usually gets."""
MAX_CONNECTIONS_OF_CLIENT = 512


class Reason(StrEnum):
    """Why a call was turned away."""

    NO_TOKEN = "no_token"
    WRONG_TOKEN = "wrong_token"
    FORBIDDEN = "forbidden"
    TOO_MANY_FAILURES = "too_many_failures"
    TOO_MANY_BACKFILLS = "too_many_backfills"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    BUSY = "busy"


class RefusedCalls(Collector):
    """How many calls were turned away by this process, by reason."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(Reason, 0)

    def collect(self) -> Iterator[Metric]:
        """One total for each reason, from the start."""
        family = CounterMetricFamily(
            PREFIX + "http_refused_total",
            "Calls that this process turned away, by reason.",
            labels=("reason",),
        )
        for reason, count in self.counts.items():
            family.add_metric((reason.value,), count)
        yield family


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


class ConnectionLimiter:
    """Open connections, by client."""

    def __init__(self, refused: RefusedCalls) -> None:
        self._refused = refused
        self._open: Counter[str] = Counter()

    def enter(self, client: str) -> bool:
        """Count a connection; False where it is one too many. `leave` follows in any case."""
        self._open[client] += 1
        if (
            self._open[client] <= MAX_CONNECTIONS_OF_CLIENT
            and self._open.total() <= MAX_CONNECTIONS
        ):
            return True
        self._refused.counts[Reason.TOO_MANY_CONNECTIONS] += 1
        return False

    def leave(self, client: str) -> None:
        """The connection is gone."""
        self._open[client] -= 1
        if self._open[client] <= 0:
            del self._open[client]
