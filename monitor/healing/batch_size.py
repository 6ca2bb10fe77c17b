"""How large the next batch is, what part of the work list fills it, and how long to rest: pure.

A batch takes a fixed part and a part that grows with its rows. Every change of the size is a
measurement of both: `docs/healing.md`, Pace, has the states and rules.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from statistics import fmean, median_low

SAMPLES = 10
"""Timings of one size that are judged together, the newest ones. The 90th percentile of so many
leaves out one that went astray."""
TO_GROW = 3
"""Timings that speak for a larger size, where one is not enough."""
TO_SHRINK = 2
"""Timings above the target that speak for a smaller size: one may be an accident."""
START = 1000
"""Rows in the first batch of a run, before anything is known about this database."""
ALARM = 5.0
"""A batch that takes this many times its target shrinks the size to `TO_ALARM` at once."""
TO_ALARM = 10
"""A batch that was far too slow is followed by one of so many times fewer rows."""
WORTHWHILE = 1.1
"""Less growth than this is not worth measuring anew."""
PLENTY = 1.5
"""Where so much growth fits the target, one timing is enough: a batch is never fast by accident."""
CONTRAST = 1.5
"""Two batches tell the fixed part from the rest where one has so many times the other's rows."""
COSTS = 3
"""Measurements of the fixed part that are kept, the newest ones."""
ENOUGH_COSTS = 3
"""With fewer, a size that would stay becomes `TO_MEASURE` of it for a batch."""
TO_MEASURE = 0.6
"""As little less as tells the fixed part from the rest."""
JITTER = 1.25
"""What two batches of one size may differ by although nothing has changed."""
MISSED = 1.5
"""A measurement that says so many times what batches take now was taken in a disturbance."""
MISLED = 2.0
"""A measurement that promised so many times less than the batches at its floor take is dropped."""
TO_FLOOR = 4
"""Below the floor a batch grows by this factor at most, since it may take longer by as much."""
MAX_USERS = 200
"""Users in one slice, however few rows each of them misses: every one costs an index scan."""
FORESEEN_BATCHES = 8
"""So many batches the users are asked for at once, where these need but one trip each."""


class PaceReason(StrEnum):
    """Why a batch has its size."""

    FIRST = "first"
    """Nothing is known yet."""
    FAST = "fast"
    """More rows fit the target."""
    SLOW = "slow"
    """The batches before took longer than the target."""
    ALARM = "alarm"
    """The batch before took five times the target or more."""
    TIMEOUT = "timeout"
    """`database.statement_timeout` ended the batch before, and nothing of it is there."""
    BLOCKED = "blocked"
    """Sessions of others waited for the batch before."""
    FLOOR = "floor"
    """Fewer rows than this spend most of the time on the fixed part."""
    MEASURE = "measure"
    """To tell the fixed part from the rest."""
    MEASURED = "measured"
    """As before the measurement."""
    REFUSED = "refused"
    """The database refused a row: halved until it is found, and doubled after it."""


_GROWTH_AFTER_BLOCKED = 1.5
"""A size that others waited for is come back to slowly."""
_CAUTIOUS = frozenset({PaceReason.ALARM, PaceReason.TIMEOUT, PaceReason.SLOW, PaceReason.BLOCKED})
"""A size that was shrunk to for these grows after `TO_GROW` timings, not one."""


@dataclass(frozen=True, slots=True)
class PaceSettings:
    """The operator's bounds."""

    batch_target_seconds: float
    max_batch: int
    duty: float
    """Share of the time spent writing, above 0 up to 1."""
    writers: int = 1
    """Batches that are written at a time, at most."""


@dataclass(frozen=True, slots=True)
class BatchSize:
    """The rows to ask for, and why so many."""

    rows: int
    why: PaceReason

    def halved(self) -> BatchSize:
        """Half, because the database refused a row."""
        return BatchSize(self.rows // 2, PaceReason.REFUSED)


@dataclass(frozen=True, slots=True)
class BatchTiming:
    """A committed batch as the pace sees it."""

    size: int
    """Rows asked for."""
    rows: int
    """Rows looked at, written or not."""
    seconds: float
    blocked: int = 0
    """The most sessions of others that waited for it at one moment."""

    @property
    def is_full(self) -> bool:
        """It looked at half of what it might or more; else it says nothing about a larger one."""
        return self.rows * 2 >= self.size


@dataclass(frozen=True, slots=True)
class BatchCost:
    """What a batch takes, as two of different sizes have told."""

    fixed: float
    """Seconds that a batch takes however few rows it writes."""
    per_row: float
    """Seconds that each row adds."""

    @property
    def floor(self) -> float:
        """Rows that take as long as the fixed part; with fewer, most of a batch is for nothing."""
        return self.fixed / self.per_row if self.per_row else math.inf

    def seconds(self, rows: int) -> float:
        """What a batch of so many rows takes."""
        return self.fixed + self.per_row * rows


@dataclass(frozen=True, slots=True)
class Pace:
    """The current size in rows, and what it was judged by."""

    size: int
    why: PaceReason = PaceReason.FIRST
    timings: tuple[BatchTiming, ...] = ()
    """Of batches of this size."""
    before: BatchTiming | None = None
    """The last full batch of the size before."""
    costs: tuple[BatchCost, ...] = ()
    """What the newest changes of the size have told, the newest one last."""
    refused: int | None = None
    """Rows of the last batch where it was halved for a row that the database refused."""

    @property
    def next_size(self) -> BatchSize:
        """What to ask for: after a refused row, twice the last batch until the size is back."""
        if self.refused is None or self.refused * 2 >= self.size:
            return BatchSize(self.size, self.why)
        return BatchSize(self.refused * 2, PaceReason.REFUSED)

    @property
    def floor(self) -> int:
        """The rows below which the fixed part rules: the median of the measurements, of two the
        lower one; one row while there is none."""
        if not self.costs:
            return 1
        # Nobody asks for more rows than that, and infinity is no int.
        return max(1, math.ceil(min(2**31, median_low(cost.floor for cost in self.costs))))


def first_pace(settings: PaceSettings) -> Pace:
    """Where a run begins."""
    return Pace(min(START, settings.max_batch))


def after_batch(pace: Pace, settings: PaceSettings, timing: BatchTiming) -> Pace:
    """The pace after a batch that was asked for by `pace.next_size`.

    One that was smaller than the pace, for a refused row, says nothing about the pace.
    """
    if timing.size < pace.size:
        return replace(pace, refused=timing.size)
    misled = _misled(pace, settings, timing)
    if misled is not None:
        return misled
    measured = pace.before if pace.why is PaceReason.MEASURE else None
    pace = _recorded(replace(pace, refused=None), settings, timing)
    changed = _smaller(pace, settings, timing)
    may_grow = changed is None and not timing.blocked
    if may_grow and measured is not None and measured.size > pace.size:
        changed = BatchSize(measured.size, PaceReason.MEASURED)
    elif may_grow and timing.is_full:
        changed = _larger(pace, settings)
        # Small steps would take long to find out what one measurement tells.
        if changed is None or changed.rows < pace.size * PLENTY:
            changed = _measuring(pace, settings) or changed
    if changed is None:
        return pace
    full = [one for one in pace.timings if one.is_full]
    return Pace(
        changed.rows, changed.why, before=full[-1] if full else pace.before, costs=pace.costs
    )


def after_timeout(pace: Pace) -> Pace | None:
    """The pace after a batch that was asked for by `pace.next_size` and was not over in time, again
    and again; None where it was of a single row.

    What was measured before does not hold any more: by a floor it could stay too large for ever.
    """
    rows = pace.next_size.rows
    return None if rows == 1 else Pace(max(1, rows // TO_ALARM), PaceReason.TIMEOUT)


def _misled(pace: Pace, settings: PaceSettings, timing: BatchTiming) -> Pace | None:
    """After a step to a floor that its batches contradict: the same size once more (not where
    others waited), then the size before, without the measurements that are wrong. None where
    nothing contradicts it.

    Without that a floor made of noise would be believed for ever: nothing shrinks a batch below
    it, and a batch that takes longer than in proportion measures nothing.
    """
    before = pace.before
    if pace.why is not PaceReason.FLOOR or before is None or not pace.costs:
        return None
    if not timing.is_full or timing.rows <= before.rows:
        return None
    timings = [*(one for one in pace.timings if one.is_full), timing]
    seconds = fmean(one.seconds for one in timings)
    by_floor = sorted(pace.costs, key=lambda cost: cost.floor)[(len(pace.costs) - 1) // 2]
    promised = max(by_floor.seconds(timing.rows), before.seconds)
    in_proportion = max(promised, before.seconds * timing.rows / before.rows)
    # Nearer to a batch without any fixed part than to what the floor promised.
    if seconds <= max(settings.batch_target_seconds, math.sqrt(promised * in_proportion)):
        return None
    if len(timings) < TO_SHRINK and not timing.blocked:
        return replace(pace, timings=(*pace.timings, timing))
    costs = tuple(cost for cost in pace.costs if cost.seconds(timing.rows) * MISLED >= seconds)
    why = PaceReason.BLOCKED if timing.blocked else PaceReason.ALARM
    return Pace(before.size, why, costs=costs)


def _recorded(pace: Pace, settings: PaceSettings, timing: BatchTiming) -> Pace:
    """With this timing, and with what it tells of the fixed part."""
    if not timing.is_full and timing.seconds <= settings.batch_target_seconds:
        return pace
    pace = replace(pace, timings=(*pace.timings, timing)[-SAMPLES:])
    if timing.is_full and pace.before is not None:
        told = _cost(*sorted((pace.before, timing), key=lambda one: one.rows))
        costs = pace.costs if told is None else (*pace.costs, told)[-COSTS:]
        pace = replace(pace, before=None, costs=costs)
    now = _now(pace)
    if now is not None:
        costs = tuple(cost for cost in pace.costs if cost.seconds(now.rows) <= MISSED * now.seconds)
        pace = replace(pace, costs=costs)
    return pace


def _cost(small: BatchTiming, large: BatchTiming) -> BatchCost | None:
    """The line through both; None where they are too alike, or where something came between:
    of two batches the larger one takes between as long, and as much longer as it has more rows."""
    more_rows = large.rows / small.rows if small.rows else 0.0
    if more_rows < CONTRAST or not small.seconds:
        return None
    longer = large.seconds / small.seconds
    if not 1 / JITTER <= longer <= JITTER * more_rows:
        return None
    per_row = max(0.0, (large.seconds - small.seconds) / (large.rows - small.rows))
    return BatchCost(max(0.0, small.seconds - per_row * small.rows), per_row)


def _now(pace: Pace) -> BatchTiming | None:
    """The median of the newest timings of this size; None before there are enough."""
    newest = [one for one in pace.timings if one.is_full][-TO_GROW:]
    if len(newest) < TO_GROW:
        return None
    return sorted(newest, key=lambda one: one.seconds)[TO_GROW // 2]


def _smaller(pace: Pace, settings: PaceSettings, timing: BatchTiming) -> BatchSize | None:
    """A smaller size where it is called for, but never for less than the floor."""
    target = settings.batch_target_seconds
    slow = [one.seconds for one in pace.timings if one.seconds > target]
    if timing.seconds >= ALARM * target:
        wanted = BatchSize(pace.size // TO_ALARM, PaceReason.ALARM)
    elif timing.blocked:
        # However fast it was: who was seen waiting waited for at least the first look at it.
        wanted = BatchSize(pace.size // 2, PaceReason.BLOCKED)
    elif len(slow) >= TO_SHRINK and percentile90(pace.timings) > target:
        known = len(pace.costs) >= ENOUGH_COSTS
        share = max(0.5, target / percentile90(pace.timings)) if known else 0.5
        wanted = BatchSize(math.floor(pace.size * share), PaceReason.SLOW)
    else:
        return None
    rows = max(1, wanted.rows, min(pace.floor, pace.size))
    return BatchSize(rows, wanted.why) if rows < pace.size else None


def _larger(pace: Pace, settings: PaceSettings) -> BatchSize | None:
    """A larger size: as many rows as fit the target even if all of a batch grew with its rows, or
    the floor, whichever is more."""
    newest = pace.timings[-TO_GROW:]
    if len(newest) < TO_GROW and pace.why in _CAUTIOUS:
        return None
    fitting = min(_fitting(one, settings) for one in newest)
    if len(newest) < TO_GROW and fitting < pace.size * PLENTY:
        fitting = 0.0
    floor = 0.0
    if len(pace.costs) >= TO_SHRINK:
        # Beyond the target only as far as the step before has confirmed.
        floor = min(pace.floor, pace.costs[-1].floor, pace.size * TO_FLOOR)
    # One row may always become two, or a run that was slowed down to one row would stay there.
    growth = _GROWTH_AFTER_BLOCKED if pace.why is PaceReason.BLOCKED else math.inf
    most = max(pace.size * growth, pace.size + 1)
    rows = math.floor(min(settings.max_batch, most, max(fitting, floor)))
    if rows <= pace.size or rows < min(settings.max_batch, pace.size * WORTHWHILE):
        return None
    return BatchSize(rows, PaceReason.FAST if fitting >= floor else PaceReason.FLOOR)


def _fitting(timing: BatchTiming, settings: PaceSettings) -> float:
    """The rows that fit the target for certain. A batch k times as large takes k times as long at
    most, since its fixed part does not grow."""
    if not timing.seconds:
        return math.inf
    return timing.rows * settings.batch_target_seconds / timing.seconds


def _measuring(pace: Pace, settings: PaceSettings) -> BatchSize | None:
    """A smaller size, or two rows in place of one, where too little is known of the fixed part; and
    now and then while the floor keeps batches above their target."""
    now = _now(pace)
    if now is None or settings.max_batch == 1:
        return None
    is_slow = now.seconds > settings.batch_target_seconds
    if pace.size == settings.max_batch and not is_slow:
        return None
    known = sum(cost.seconds(now.rows) * MISSED >= now.seconds for cost in pace.costs)
    if known >= ENOUGH_COSTS and not (is_slow and len(pace.timings) == SAMPLES):
        return None
    rows = math.floor(pace.size * TO_MEASURE) if pace.size > 1 else 2
    return BatchSize(rows, PaceReason.MEASURE)


def percentile90(timings: Sequence[BatchTiming]) -> float:
    """The 90th percentile of their seconds by nearest rank; `timings` is not empty."""
    ordered = sorted(timing.seconds for timing in timings)
    return ordered[math.ceil(0.9 * len(ordered)) - 1]


def rest_seconds(busy_seconds: float, duty: float) -> float:
    """The rest after `busy_seconds` of writing that keeps writing at `duty` of the time."""
    # A clock that was set back must not make a rest end before it began.
    return max(0.0, busy_seconds) * (1 - duty) / duty


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
    planned: int = field(default=0, compare=False)
    """Rows planned for them, of a part at most `limit`; they follow from the rest, too. 0 of a user
    that was begun: how many of his rows are left is not known."""


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
        limit = min(size, rows_left)
        return BatchSlice(
            first.position,
            users=1,
            limit=limit,
            splits=True,
            ids=(first.user,),
            planned=0 if begun else min(first.planned, limit),
        )
    rows = 0
    taken: list[WorkItem] = []
    for item in items[:MAX_USERS]:
        rows += item.planned
        if taken and rows > min(size, rows_left):
            break
        taken.append(item)
    ids = tuple(item.user for item in taken)
    planned = min(sum(item.planned for item in taken), size)
    return BatchSlice(taken[-1].position, len(taken), size, splits=False, ids=ids, planned=planned)
