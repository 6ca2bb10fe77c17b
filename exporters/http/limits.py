"""How much a client may do: requests in buckets, connections counted; and what was turned away.

A bucket holds `burst` at most and fills by `per_second`; what is done takes one out. Whoever has
not come for longest is forgotten first, and begins with a full bucket again.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from exporters.prometheus.build import PREFIX

MAX_REMEMBERED = 10_000
_IPV6_SUBSCRIBER = 64
"""Bits of an IPv6 address that one subscriber holds: all the addresses below them are its own."""
MAX_CONNECTIONS = 768
"""Where the limit of open files allows as many."""
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


class Held(Protocol):
    """An open connection."""

    @property
    def is_idle(self) -> bool:
        """Whether it waits for its next request, or for the rest of one."""

    def drop(self) -> None:
        """Close it at once."""


class ConnectionLimiter:
    """Open connections, by client. For one too many, an idle one is closed: the one that has said
    nothing for longest, of the client that has the most."""

    def __init__(self, refused: RefusedCalls, *, most: int) -> None:
        self._refused = refused
        self._most = most
        self._most_of_client = min(MAX_CONNECTIONS_OF_CLIENT, max(1, most * 2 // 3))
        self._open: dict[str, dict[Held, None]] = {}
        """Of each client, who spoke last at the end."""

    def enter(self, client: str, connection: Held) -> bool:
        """Count a connection; False where it is one too many, and no other can be closed in its
        place. `leave` follows in any case."""
        ours = self._open.setdefault(client, {})
        within = len(ours) < self._most_of_client
        if not within or sum(map(len, self._open.values())) >= self._most:
            self._refused.counts[Reason.TOO_MANY_CONNECTIONS] += 1
            crowd = max(self._open.values(), key=len) if within else ours
            if not _drop_idle(crowd):
                return False
        ours[connection] = None
        self._open[client] = ours
        return True

    def spoke(self, client: str, connection: Held) -> None:
        """It has brought something."""
        ours = self._open.get(client, {})
        if connection in ours:
            del ours[connection]
            ours[connection] = None

    def leave(self, client: str, connection: Held) -> None:
        """The connection is gone."""
        ours = self._open.get(client, {})
        ours.pop(connection, None)
        if not ours:
            self._open.pop(client, None)

    def make_room(self, connections: int) -> None:
        """Close so many that are idle, where there are."""
        for _ in range(connections):
            any(_drop_idle(ours) for ours in sorted(self._open.values(), key=len, reverse=True))


def _drop_idle(crowd: dict[Held, None]) -> bool:
    found = next((one for one in crowd if one.is_idle), None)
    if found is not None:
        del crowd[found]
        found.drop()
    return found is not None
