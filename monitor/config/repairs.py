"""The `repairs` section: what is mended in rows that a check fails for, each on its own terms."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum

from pydantic import Field

from monitor.config.errors import InvalidValueError
from monitor.config.healing import Mode
from monitor.config.section import Section
from monitor.config.types import (
    Columns,
    Duration,
    Hours,
    Maybe,
    Name,
    Positive,
    PositiveShare,
    Query,
    Text,
)


class Action(StrEnum):
    """What a repair does with the rows that it finds."""

    INSERT = "insert"
    """They are missing: `find` returns them whole."""
    UPDATE = "update"
    """They get the values that `find` returns beside their key."""
    DELETE = "delete"
    """They go."""


class RepairBreaker(Section):
    """When so much is found that the data or `find` is wrong: the repair stops for a person."""

    max_rows: Positive = 10_000
    """The most rows that `find` may name, whatever one run takes."""
    max_share: PositiveShare = 0.01
    """The largest share of the table that `find` may name. 100%: never refuse for it."""
    stuck_after: Positive = 3
    """Automatic runs in a row that leave as much as they found."""


class Repair(Section):
    """One thing that can be mended, and undone."""

    name: Name
    """Lower-case letters, digits and underscores; no other repair's name."""
    check: Name
    """The check that tells that there is something to mend: built in, or one of your own."""
    table: Text
    """What is changed; may be schema-qualified."""
    key: Columns = ()
    """The columns of a unique index that name a row; `find` returns them. Empty: the primary
    key."""
    find: Query
    """One SELECT: the keys of the rows to mend and, to insert or update, the new values, each
    under the name of its column."""
    action: Action
    """insert, update or delete."""
    mode: Mode = Mode.OBSERVE
    """observe: only a person starts it. heal: by itself, too, while its check fails."""
    max_rows_per_run: Positive = 10_000
    """The most rows that one run mends; the next run goes on from there."""
    breaker: RepairBreaker = Field(default_factory=RepairBreaker)
    """When the repair refuses until a person has looked."""
    cooldown: Duration = timedelta(minutes=10)
    """The least time between two automatic runs."""
    window: Maybe[Hours] = None
    """The hours in which automatic runs may write, in catalog.timezone. null: any time."""

    def contradictions(self) -> Iterator[InvalidValueError]:
        if len(set(self.key)) != len(self.key):
            yield InvalidValueError("each column once", "one twice", "remove it", "key")
