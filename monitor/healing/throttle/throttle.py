"""From facts, as they were found or with why they weren't, to a reason to wait: a pure function.
Unknown means wait."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from monitor.state.runs import WaitReason

RELIEF = 0.5
"""A run that waits for a replica goes on once the lag has fallen to this share of its limit: with
one limit for both it would stop and go at every batch."""
_FOR_REPLICAS = frozenset(
    {
        WaitReason.REPLICA_LAG,
        WaitReason.REPLICA_LAG_BYTES,
        WaitReason.REPLICA_MISSING,
        WaitReason.REPLICA_UNKNOWN,
    }
)


@dataclass(frozen=True, slots=True)
class Unknown:
    """A fact that could not be had, and why, as a sentence for people."""

    reason: str


@dataclass(frozen=True, slots=True)
class Replica:
    """One standby as the primary sees it."""

    name: str
    lag_seconds: float | None
    """Time that the replica needs to replay what is written now. None on an idle one that has
    caught up, and after a while on one that is stuck: it is no proof of health."""
    lag_bytes: int | Unknown
    """What it has not replayed yet."""


@dataclass(frozen=True, slots=True)
class Signals:
    """Everything that was looked at, at about one moment. None: not configured."""

    replicas: tuple[Replica, ...] | Unknown = ()
    must_wait: bool | Unknown | None = None
    """What `wait_while` returned."""
    value: float | Unknown | None = None
    """What the Prometheus query returned; never NaN."""


@dataclass(frozen=True, slots=True)
class Wait:
    """The run must wait: why, as a word for metrics and as a sentence for people."""

    code: WaitReason
    reason: str


@dataclass(frozen=True, slots=True)
class ThrottleSettings:
    """The operator's limits."""

    max_lag_seconds: float
    max_lag_bytes: int
    expected_replicas: int
    max_value: float | None
    """The most that the Prometheus query may return; None where there is none."""


def throttle(signals: Signals, settings: ThrottleSettings, waiting: Wait | None) -> Wait | None:
    """Why the next batch must wait, or None; `waiting` is what the run waits for already.

    Of several reasons the first in a fixed order is told: replicas that can't be read or are
    missing, lag in bytes, lag in time, `wait_while`, the query.
    """
    return next(_reasons(signals, settings, waiting), None)


def _reasons(signals: Signals, settings: ThrottleSettings, waiting: Wait | None) -> Iterator[Wait]:
    relief = RELIEF if waiting is not None and waiting.code in _FOR_REPLICAS else 1.0
    if isinstance(signals.replicas, Unknown):
        yield Wait(WaitReason.REPLICA_UNKNOWN, signals.replicas.reason)
    else:
        yield from _missing(signals.replicas, settings)
        # Bytes first: the time can read 5 ms while bytes pile up.
        yield from _behind_in_bytes(signals.replicas, settings, relief)
        yield from _behind_in_time(signals.replicas, settings, relief)
    if isinstance(signals.must_wait, Unknown):
        yield Wait(WaitReason.WAIT_WHILE_UNKNOWN, signals.must_wait.reason)
    elif signals.must_wait:
        yield Wait(WaitReason.WAIT_WHILE, "The SQL of healing.pace.wait_while returns true.")
    if isinstance(signals.value, Unknown):
        yield Wait(WaitReason.PROMQL_UNKNOWN, signals.value.reason)
    elif (
        signals.value is not None
        and settings.max_value is not None
        # Not "value > max", which is false for NaN.
        and not signals.value <= settings.max_value
    ):
        yield Wait(
            WaitReason.PROMQL,
            f"The query of healing.pace.promql returns {signals.value:g}, the limit is"
            f" {settings.max_value:g}.",
        )


def _missing(replicas: tuple[Replica, ...], settings: ThrottleSettings) -> Iterator[Wait]:
    expected, found = settings.expected_replicas, len(replicas)
    if found < expected:
        names = f" ({', '.join(replica.name for replica in replicas)})" if replicas else ""
        yield Wait(
            WaitReason.REPLICA_MISSING,
            f"{found} of {expected} expected replicas {'is' if found == 1 else 'are'}"
            f" connected{names}.",
        )


def _behind_in_bytes(
    replicas: tuple[Replica, ...], settings: ThrottleSettings, relief: float
) -> Iterator[Wait]:
    worst: tuple[int, Replica] | None = None
    for replica in replicas:
        if isinstance(replica.lag_bytes, Unknown):
            yield Wait(WaitReason.REPLICA_UNKNOWN, replica.lag_bytes.reason)
        elif worst is None or replica.lag_bytes > worst[0]:
            worst = (replica.lag_bytes, replica)
    limit = settings.max_lag_bytes
    if worst is not None and worst[0] > limit * relief:
        yield Wait(
            WaitReason.REPLICA_LAG_BYTES,
            f"Replica {worst[1].name} has {_size(worst[0])} left to replay,"
            f" {_bound(worst[0] > limit, _size(limit), _size(limit * relief))}.",
        )


def _behind_in_time(
    replicas: tuple[Replica, ...], settings: ThrottleSettings, relief: float
) -> Iterator[Wait]:
    timed = [(r.lag_seconds, r.name) for r in replicas if r.lag_seconds is not None]
    if not timed:
        return
    seconds, name = max(timed)
    limit = settings.max_lag_seconds
    if seconds > limit * relief:
        yield Wait(
            WaitReason.REPLICA_LAG,
            f"Replica {name} is {seconds:.1f} s behind,"
            f" {_bound(seconds > limit, f'{limit:g} s', f'{limit * relief:g} s')}.",
        )


def _bound(above: bool, limit: str, relief: str) -> str:
    return f"the limit is {limit}" if above else f"healing goes on at {relief}"


def _size(size: float) -> str:
    """Bytes for people, in the units that the configuration takes."""
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:  # noqa: PLR2004 - the step between units
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
