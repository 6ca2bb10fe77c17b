"""Answers that the catalogue can't give: only trying a statement, or reading rows, can."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from checks.relations import Distribution


class Answer(StrEnum):
    """What a probe found out about rows."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"
    """Not asked, refused, or out of patience."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """PostgreSQL's reason for refusing a statement."""

    sqlstate: str
    message: str


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The server around the tables, and what the role may do there."""

    database: str
    in_recovery: bool
    read_only: bool
    """default_transaction_read_only."""
    state_schema_exists: bool
    can_use_state_schema: bool
    can_create_schema: bool


@dataclass(frozen=True, slots=True)
class Clock:
    """A TimeZone setting, and whether its clock shows what catalog.timezone's shows all year."""

    source: str
    zone: str
    agrees: bool


@dataclass(frozen=True, slots=True)
class Rows:
    """What the rows of a key column say."""

    duplicates: Answer = Answer.UNKNOWN
    nulls: Answer = Answer.UNKNOWN


@dataclass(frozen=True, slots=True)
class Growth:
    """What ageing is made of."""

    recent_artworks: int
    """Created in the last `days`."""
    days: int
    users: int
    """Users that `catalog.users.where` admits."""
    tracked_users: int | None
    """How many of them have an impression, by the planner's statistics; None when unknown."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """The list of what was backfilled, where Citus is installed."""

    present: bool
    distribution: Distribution | None = None
    """None for a plain table."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything probed. What is absent was fine, or could not be asked."""

    surroundings: Surroundings
    relations: tuple[tuple[str, str], ...] = ()
    """(schema, name) of every relation there is; only read when a configured one is missing."""
    comparisons: Mapping[str, Refusal] = field(default_factory=dict)
    """By `Comparison.subject`: why the two columns can't be compared."""
    filters: Mapping[str, Refusal] = field(default_factory=dict)
    """By setting: why the operator's filter doesn't run."""
    defaults: Mapping[str, Refusal] = field(default_factory=dict)
    """By column of the impressions: why the operator's expression doesn't fill it."""
    duplicate_pairs: Answer = Answer.UNKNOWN
    ids: Mapping[str, Rows] = field(default_factory=dict)
    """By role, `artworks` or `users`; only where the catalogue proves nothing."""
    forbidden_sequences: tuple[str, ...] = ()
    """Sequences behind defaults of the impressions that the role may not advance, quoted."""
    clocks: tuple[Clock, ...] = ()
    timezone: Refusal | None = None
    """Why the server does not know catalog.timezone."""
    growth: Growth | None = None
    ledger: Ledger | None = None
    """None where there is no Citus."""
