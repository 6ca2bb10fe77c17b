"""How large the next batch is, what part of the work list fills it, and how long to rest: pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

SAMPLES = 10
"""Timings of one size that are judged together, the newest ones. The 90th percentile of so many
leaves out one that went astray."""
TO_GROW = 3
"""Timings that speak for a larger size."""
TO_SHRINK = 2
"""Timings above the target that speak for a smaller size: one may be an accident."""
START = 1000
"""Rows in the first batch of a run, before anything is known about this database."""
GROWTH = 1.5
"""A batch never grows by more than this factor at once, except from one row to two."""
ALARM = 5.0
"""A batch that takes this many times its target shrinks the size to a tenth at once."""
WORTHWHILE = 1.1
"""Less growth than this is not worth measuring anew."""
MAX_USERS = 200
"""Users in one slice, however few rows each of them misses: every one costs an index scan."""


@dataclass(frozen=True, slots=True)
class PaceSettings:
    """The operator's bounds."""

    batch_target_seconds: float
    max_batch: int
    duty: float
    """Share of the time spent writing, above 0 up to 1."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The current size in rows, and the timings in seconds that it was measured with."""

    size: int
    timings: tuple[float, ...] = ()


def first_pace(settings: PaceSettings) -> Pace:
    """Where a run begins."""
    return Pace(min(START, settings.max_batch))


def after_batch(
    pace: Pace, settings: PaceSettings, *, seconds: float, inserted: int, blocked: int = 0
) -> Pace:
    """The pace after a batch that took `seconds`, wrote `inserted` rows, and for which `blocked`
    sessions of others had to wait.

    Timings of another size are never mixed; a batch that wrote less than half of what it might
    says nothing about a larger one, so it can only slow the run down.
    """
    target = settings.batch_target_seconds
    if seconds >= ALARM * target:
        return Pace(max(1, pace.size // 10))
    if blocked:
        # However fast it was: who was seen waiting waited for at least the first look at it.
        return Pace(max(1, pace.size // 2))
    timings = (*pace.timings, seconds)[-SAMPLES:]
    if percentile90(timings) > target:
        return _slower(replace(pace, timings=timings), target)
    if inserted * 2 < pace.size:
        return pace
    return _faster(replace(pace, timings=timings), settings)


def _slower(pace: Pace, target: float) -> Pace:
    if sum(timing > target for timing in pace.timings) < TO_SHRINK:
        return pace
    return Pace(max(1, math.floor(pace.size * max(0.5, target / percentile90(pace.timings)))))


def _faster(pace: Pace, settings: PaceSettings) -> Pace:
    if len(pace.timings) < TO_GROW:
        return pace
    slowest = percentile90(pace.timings)
    # One row may always become two, or a run that was slowed down to one row would stay there.
    growth = max(pace.size * GROWTH, pace.size + 1)
    room = pace.size * settings.batch_target_seconds / slowest if slowest else math.inf
    size = min(settings.max_batch, math.floor(min(growth, room)))
    if size <= pace.size or size < min(settings.max_batch, pace.size * WORTHWHILE):
        return pace
    return Pace(size)


def percentile90(timings: tuple[float, ...]) -> float:
    """The 90th percentile by nearest rank; `timings` is not empty."""
    ordered = sorted(timings)
    return ordered[math.ceil(0.9 * len(ordered)) - 1]


def rest_seconds(busy_seconds: float, duty: float) -> float:
    """The rest after `busy_seconds` of writing that keeps writing at `duty` of the time."""
    return busy_seconds * (1 - duty) / duty


@dataclass(frozen=True, slots=True)
class WorkItem:
    """A user of the work list: its position, and the rows planned for it."""

    position: int
    planned: int
    user: str = ""
    """The user's id as text."""


@dataclass(frozen=True, slots=True)
class BatchSlice:
    """Users with positions above the cursor up to `until`, each with the rows planned for it.

    `splits` says that it is a part of one user, at most `limit` rows, whose artworks the cursor
    must remember.
    """

    until: int
    users: int
    limit: int
    splits: bool
    ids: tuple[str, ...] = field(default=(), compare=False)
    """The users' ids as text: they follow from the rest."""


def next_slice(
    items: Sequence[WorkItem], size: int, rows_left: int, *, begun: bool = False
) -> BatchSlice | None:
    """As many whole users as fit `size` rows, or a part of the first; None at the list's end.

    `rows_left` is what the run's plan still allows: with none left, the list has ended too. The
    last user may be planned in part. `begun`: the first was taken in part, and is gone on with
    alone, whatever it has left.
    """
    if not items or rows_left <= 0:
        return None
    first = items[0]
    # A single pair always is a part, so that it is known which one it is.
    if begun or size == 1 or first.planned > size or first.planned >= rows_left:
        return BatchSlice(first.position, 1, min(size, rows_left), splits=True, ids=(first.user,))
    rows = 0
    taken: list[WorkItem] = []
    for item in items[:MAX_USERS]:
        rows += item.planned
        if taken and (rows > size or rows >= rows_left):
            break
        taken.append(item)
    ids = tuple(item.user for item in taken)
    return BatchSlice(taken[-1].position, len(taken), size, splits=False, ids=ids)
