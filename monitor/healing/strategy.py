"""What a kind of run is: what its batches write, how it is verified, what follows from its end.

A strategy and a planner are all that a new kind of run needs: the writer brings transaction,
fencing, records and retries, the executor pace, lease, waiting, passes and the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.census import Census
from checks.pipeline import Rows, Statement, Trips
from checks.row_security import RowGuard
from monitor.state.runs import Run, RunState

PASSES = 3
"""Walks over what was planned before a run that still finds something left ends as partial."""


@dataclass(frozen=True, slots=True)
class BatchStart:
    """Where a run stands, read under the lock of its row, and what people have switched."""

    position: int
    artwork_cursor: object | None
    user_cursor: object | None
    inserted: int
    """Rows that its batches have written so far."""
    batches: int
    paused: bool
    paused_reason: str
    breaker_open: bool
    """And the run may not go beyond it."""
    breaker_reason: str
    now: datetime
    """The database's clock."""
    quarantine: bool
    """Some pairs are in quarantine, due or not."""
    types_as_read: bool
    """The app's columns, and ours, have the types that the statements were made for."""
    triggers: Sequence[str] = ()
    """The app's triggers that an impression sets off."""


@dataclass(frozen=True, slots=True)
class DueBatch:
    """A batch that is known, whether it has been begun or not."""

    run: Run
    start: BatchStart
    size: int
    """The rows to write, about."""
    asked: Sequence[Rows]
    """What the strategy's `opening` returned, or would."""


@dataclass(frozen=True, slots=True)
class OpenBatch(DueBatch):
    """A batch that nothing was written in yet."""

    trips: Trips
    """Its transaction."""

    @property
    def connection(self) -> AsyncConnection:
        """Inside its transaction."""
        return self.trips.connection


@dataclass(frozen=True, slots=True)
class SingleWrite:
    """All that a batch writes, where that is known before it is begun."""

    statement: Statement
    """Returns how many rows it `inserted`, and tells the statements behind it."""
    planned: int
    """Rows that it works through."""
    users: int
    cursor: Mapping[str, object]
    """As of `Written`."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a batch did to the app's rows, and where the run stands behind it."""

    rows: int
    """Impressions written; of an undo, deleted."""
    looked_at: int
    """Rows that the batch worked through, also where it had nothing to write: by these the pace
    judges how full it was."""
    users: int
    cursor: Mapping[str, object]
    """Bound to the strategy's `cursor_statement`."""


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ends, with what was counted; None where nothing was."""

    state: RunState
    outcome: str
    remaining: int | None = None
    """Of its plan."""
    legacy_after: int | None = None
    census: Census | None = None
    """Kept and published as the newest one."""


class RunStrategy(Protocol):
    """How runs of one kind are worked."""

    rows_counter: str
    """The total that each row written adds to."""
    runs_counter: str | None
    """The total that each run that ended adds to, if any."""
    failures_counter: str
    """The total that each run that failed adds to."""
    counter_label: str
    """The label of these, empty where they have none."""
    rows: RowGuard
    """What its batches have to do, so that none of the app's rows is hidden from them."""
    cursor_statement: str
    """Moves the run's cursor by a batch; binds its `Written.cursor`."""
    settings: Mapping[str, str]
    """For the transactions of its batches."""
    held_by: frozenset[str]
    """SQLSTATEs that put its run down, for anyone to take up, where every attempt ends in one."""

    def opening(self, run: Run, size: int, batches: int) -> Sequence[Statement]:
        """What so many batches of about `size` rows, one behind the other, ask for once the run's
        row is locked, and before it is read."""
        ...

    def ahead(self, batch: DueBatch) -> DueBatch | None:
        """The batch behind this one, where all that it has to know is known without having been
        asked behind it; None where there is none. Both may be written at the same time."""
        ...

    def single_write(self, batch: DueBatch) -> SingleWrite | None:
        """What writes a batch that comes from `ahead`; None where that needs to look first."""
        ...

    def hold_reason(self, batch: DueBatch) -> str | None:
        """Why the run must be put down here, beside a pause; None to go on."""
        ...

    async def write(self, batch: OpenBatch) -> Written | None:
        """Write the next rows behind the cursor with their ledger; None at the end of a pass.

        Raises what the database refuses. With a size of one, it passes over a row instead, and
        the transaction goes on.
        """
        ...

    async def verify(self, run: Run) -> RunEnd | None:
        """Count again after a pass: how the run ends, or None for another pass."""
        ...

    async def settle(self, connection: AsyncConnection, run: Run, end: RunEnd) -> None:
        """What else follows from the end, in the transaction that writes it down."""
        ...
