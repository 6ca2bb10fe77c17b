"""The pairs that a run would write, one by one, before anybody agrees to it.

The walk over the work list is the run's own, and so are the statements that select the pairs; the
list is that of a run planned in the same snapshot. Only a slice of it is in memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.census import parameters
from checks.spec import Cutoffs
from monitor.database import set_local
from monitor.healing.batch_size import MAX_USERS, BatchSlice, WorkItem, next_slice
from monitor.healing.statements import HealingStatements, Part
from monitor.state.runs import RunKind

SLICE = 10_000
"""Pairs in memory at once, about."""
MOST_NAMED = 5
"""Users that a plan names."""


@dataclass(frozen=True, slots=True)
class PlannedPair:
    """An impression that is missing. The ids as text."""

    user_id: str
    artwork_id: str
    created: float
    """When the artwork was created, in Unix seconds; infinite where its column says so."""


@dataclass(frozen=True, slots=True)
class UserShare:
    """What a plan writes for one user."""

    user_id: str
    rows: int


async def most_affected(
    connection: AsyncConnection, statements: HealingStatements, cutoffs: Cutoffs, *, max_rows: int
) -> tuple[UserShare, ...]:
    """The few users for whom a run over the audience writes the most, beginning with the first."""
    values = {**_plan_values(cutoffs, max_rows), "limit": MOST_NAMED}
    text = statements.plan_by_hand("plan_users")
    rows = await connection.exec_driver_sql(text, values)
    return tuple(UserShare(row.user_id, int(row.rows)) for row in rows)


async def list_pairs(
    connection: AsyncConnection, statements: HealingStatements, cutoffs: Cutoffs, *, max_rows: int
) -> AsyncIterator[Sequence[PlannedPair]]:
    """Everything that a run over the audience would write that a person starts now: users in the
    order in which they are worked, each with the artworks in the order of their ids.

    The connection is inside a transaction with one snapshot.
    """
    await set_local(connection, cursor_tuple_fraction="1")
    walk = statements.plan_by_hand("plan_walk")
    await connection.exec_driver_sql(
        f"DECLARE work_list NO SCROLL CURSOR FOR {walk}", _plan_values(cutoffs, max_rows)
    )
    lister = _Lister(connection, statements, cutoffs, RunKind.HEAL, quarantine=False)
    waiting: deque[WorkItem] = deque()
    rows_left = max_rows
    while True:
        if len(waiting) < MAX_USERS:
            rows = await connection.exec_driver_sql(f"FETCH {MAX_USERS} FROM work_list")
            waiting += [WorkItem(int(r.position), int(r.planned), r.user_id) for r in rows]
        pairs = await lister.next(waiting, rows_left)
        if pairs is None:
            break
        rows_left -= len(pairs)
        yield pairs
    await connection.exec_driver_sql("CLOSE work_list")


async def list_pairs_of_user(
    connection: AsyncConnection,
    statements: HealingStatements,
    cutoffs: Cutoffs,
    user_id: str,
    *,
    rows: int,
    quarantine: bool,
) -> AsyncIterator[Sequence[PlannedPair]]:
    """The same of a run for one user, whose `rows` are counted already. `quarantine`: our tables
    are there, and pairs that wait in quarantine are left alone."""
    lister = _Lister(connection, statements, cutoffs, RunKind.USER, quarantine=quarantine)
    waiting = deque([WorkItem(1, rows, user_id)])
    while (pairs := await lister.next(waiting, rows)) is not None:
        rows -= len(pairs)
        yield pairs


def _plan_values(cutoffs: Cutoffs, max_rows: int) -> Mapping[str, object]:
    return {**parameters(cutoffs), "due_until": cutoffs.now, "run_id": 0, "max_rows": max_rows}


class _Lister:
    """Takes slices of a work list as a run takes them, and remembers where a split user stands."""

    def __init__(
        self,
        connection: AsyncConnection,
        statements: HealingStatements,
        cutoffs: Cutoffs,
        kind: RunKind,
        *,
        quarantine: bool,
    ) -> None:
        self._connection = connection
        self._statements = statements
        self._cutoffs = cutoffs
        self._kind = kind
        self._quarantine = quarantine
        self._artwork_cursor: str | None = None

    async def next(self, waiting: deque[WorkItem], rows_left: int) -> Sequence[PlannedPair] | None:
        """The pairs of the next slice, whose users leave `waiting`; None at the end."""
        begun = self._artwork_cursor is not None
        part = next_slice(list(waiting)[:MAX_USERS], SLICE, rows_left, begun=begun)
        if part is None:
            return None
        pairs = await self._select(part, [waiting[i].planned for i in range(part.users)])
        if part.splits and len(pairs) == part.limit < rows_left:
            self._artwork_cursor = pairs[-1].artwork_id
            return pairs
        self._artwork_cursor = None
        for _ in range(part.users):
            waiting.popleft()
        return pairs

    async def _select(self, part: BatchSlice, planned: list[int]) -> Sequence[PlannedPair]:
        form = Part.SPLIT if part.splits else Part.USERS
        text = self._statements.plan_pairs(self._kind, form, quarantine=self._quarantine)
        values = {
            **parameters(self._cutoffs),
            "run_id": 0,
            "position": 0,
            "until": part.users,
            "users": list(part.ids),
            "planned": planned,
            "limit": part.limit if part.splits else None,
            "artwork_cursor": self._artwork_cursor,
            "due_until": self._cutoffs.now,
        }
        rows = await self._connection.exec_driver_sql(text, values)
        return [PlannedPair(r.user_id, r.artwork_id, r.created) for r in rows]
