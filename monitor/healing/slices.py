"""Which part of the work list the next batch takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

MAX_USERS = 200
"""Users in one slice, however few rows each of them misses: every one costs an index scan."""


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


def next_slice(items: Sequence[WorkItem], size: int, rows_left: int) -> BatchSlice | None:
    """As many whole users as fit `size` rows, or a part of the first; None at the list's end.

    `rows_left` is what the run's plan still allows: with none left, the list has ended too. The
    last user may be planned in part.
    """
    if not items or rows_left <= 0:
        return None
    first = items[0]
    # A single pair always is a part, so that it is known which one it is.
    if size == 1 or first.planned > size or first.planned >= rows_left:
        return BatchSlice(first.position, 1, min(size, rows_left), splits=True, ids=(first.user,))
    rows = 0
    users = 0
    until = first.position
    for item in items[:MAX_USERS]:
        if users and (rows + item.planned > size or rows + item.planned >= rows_left):
            break
        rows += item.planned
        users += 1
        until = item.position
    ids = tuple(item.user for item in items[:users])
    return BatchSlice(until, users, size, splits=False, ids=ids)
