"""What decides whether a run may go on, and what it waits for; nothing here asks anybody."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.state.runs import WaitReason


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


@dataclass(slots=True)
class BlockedSessions:
    """What was seen while one batch was written; complete once the watch has ended."""

    most: int = 0
    """The most sessions of others that waited for this batch at one moment."""
