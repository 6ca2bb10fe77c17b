"""The `healing` section: when impressions are backfilled, how many, and how fast."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from pydantic import Field

from monitor.config.secrets import WebUrl
from monitor.config.section import Section
from monitor.config.types import (
    Duration,
    Hours,
    Maybe,
    Natural,
    Number,
    Positive,
    PositiveShare,
    Query,
    Share,
    Size,
    Text,
    Timeout,
)


class Mode(StrEnum):
    """Whether the service may write by itself."""

    OBSERVE = "observe"
    """It counts and reports; people may start runs."""
    HEAL = "heal"
    """It heals by itself."""


class Breaker(Section):
    """When so much is wrong that the data or this configuration is: healing stops for a person."""

    max_share: PositiveShare = 0.5
    """The largest share of all pairs that may be legacy_untracked. 100%: never refuse for it."""
    max_tracked_drop: Share = 0.1
    """The largest share of the impressions that may be lost within 24 hours. Deleting or archiving
    artworks or users, and undo, are not a loss. 100%: never refuse for it."""
    stuck_after: Positive = 3
    """Runs in a row that leave as much as they found."""


class Promql(Section):
    """A Prometheus query whose value holds healing back."""

    url: WebUrl = Field(repr=False)
    """The Prometheus server."""
    query: Text
    """Returns one number: a scalar or one series."""
    max: Number
    """Healing waits while the value is above this."""


class Pace(Section):
    """How fast a run writes, and what it yields to."""

    batch_target: Timeout = timedelta(milliseconds=250)
    """The time that the transaction of one batch should take; batches grow and shrink to it, but
    not so far that most of a batch is its fixed part."""
    max_batch: Positive = 10_000
    """The most rows in one batch."""
    duty: PositiveShare = 0.5
    """The share of the time spent writing; the rest is pause."""
    writers: Positive = 1
    """Batches of a run over the audience that are written at the same time, each in a session."""
    max_replica_lag: Timeout = timedelta(seconds=10)
    """Healing waits while a replica is further behind than this."""
    max_replica_lag_bytes: Size = 64 * 1024**2
    """Healing waits while a replica has more than this left to replay."""
    expected_replicas: Natural = 0
    """Healing waits while fewer replicas are connected: a dead one vanishes from the view."""
    wait_while: Maybe[Query] = None
    """A query that returns one boolean; healing waits while it is true, and while it can't tell."""
    promql: Maybe[Promql] = None
    """A Prometheus query; healing waits while its value is too high."""


class Healing(Section):
    """When impressions are backfilled, how many, and how fast."""

    mode: Mode = Mode.OBSERVE
    """observe: count and report, write only when told to; heal: backfill by itself."""
    threshold: Positive = 1
    """Heal when legacy_untracked reaches this."""
    consecutive: Positive = 1
    """In how many censuses in a row it must."""
    cooldown: Duration = timedelta(minutes=1)
    """The least time between two runs."""
    window: Maybe[Hours] = None
    """The hours in which automatic healing may write, such as "01:00-05:00", in
    catalog.timezone; may pass midnight; checked before every batch. null: any time."""
    max_rows_per_run: Positive = 1_000_000
    """The most impressions that one run writes."""
    breaker: Breaker = Field(default_factory=Breaker)
    """When healing refuses until a person has looked."""
    pace: Pace = Field(default_factory=Pace)
    """How fast a run writes, and what it yields to."""
