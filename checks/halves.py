"""A count by two sessions that see the same rows: each takes half of what is counted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.relations import Catalogue

SHARED_FROM = 1_000_000
"""Impressions from which on two sessions share the probes: what a second one spares, 20 ms, is then
more than what its start costs near the database."""

Row = dict[str, Any]
"""What a statement finds, by column."""
_Half = Callable[[AsyncConnection], Awaitable[Row]]
SideBySide = Callable[[_Half, _Half], Awaitable[tuple[Row, Row]]]
"""What two sessions find that see the same rows, at a time where there are two."""


async def counted(
    statement: str, values: Mapping[str, object], half: Mapping[str, int], on: AsyncConnection
) -> Row:
    """The only row of a statement, of the `half` that it is bound to."""
    found = await on.exec_driver_sql(statement, {**values, **half})
    return found.one()._asdict()


def is_shared(catalogue: Catalogue, side_by_side: SideBySide | None) -> bool:
    """Whether two sessions are to be had, and worth their while."""
    large = catalogue.impressions.beneath.estimated_rows >= SHARED_FROM
    return large and side_by_side is not None


async def in_halves(
    connection: AsyncConnection,
    side_by_side: SideBySide | None,
    count: Callable[[Mapping[str, int], AsyncConnection], Awaitable[Row]],
) -> Row:
    """The row that `count` finds: at once, or of two halves by two sessions."""
    if side_by_side is None:
        return await count({"halves": 0, "half": 0}, connection)
    first, second = ({"halves": 1, "half": half} for half in (0, 1))
    return _joined(*await side_by_side(partial(count, first), partial(count, second)))


_OF_ALL = ("audience", "users")
"""Of a census's row, what does not depend on its artworks; `_LEAST` of it is the least of all."""
_LEAST = ("least_unseen", "oldest_legacy")


def _joined(one: Row, other: Row) -> Row:
    """The row of everything from those of two halves."""
    joined: Row = {}
    for name, value in one.items():
        known = [each for each in (value, other[name]) if each is not None]
        if name in _OF_ALL:
            joined[name] = value
        elif name in _LEAST:
            joined[name] = min(known, default=None)
        else:
            joined[name] = sum(known[1:], known[0]) if known else None
    return joined
