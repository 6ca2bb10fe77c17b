"""What PostgreSQL really did with the statements that a piece of code runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True)
class Node:
    """A node of an executed plan. `rows` are those that came out of it, over all its loops."""

    kind: str
    relation: str | None
    index: str | None
    backward: bool
    rows: float
    lossy_pages: int
    """Of a bitmap: those of which it remembers no row, so that each of the page is compared."""
    condition: str
    """What its rows satisfy, by an index or not."""
    children: tuple[Node, ...]

    def walk(self) -> Iterator[Node]:
        """The node and everything below it."""
        yield self
        for child in self.children:
            yield from child.walk()


async def plans_of(
    connection: AsyncConnection, work: Callable[[], Awaitable[object]]
) -> tuple[Node, ...]:
    """The plan of every statement that `work` runs on `connection`, in order."""
    ran: list[tuple[str, Any]] = []

    def note(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:
        ran.append((statement, parameters))

    event.listen(connection.sync_connection, "before_cursor_execute", note)
    try:
        await work()
    finally:
        event.remove(connection.sync_connection, "before_cursor_execute", note)
    return tuple([await _plan(connection, *one) for one in ran])


async def _plan(connection: AsyncConnection, statement: str, parameters: Any) -> Node:
    explained = f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}"
    found = (await connection.exec_driver_sql(explained, parameters)).scalar_one()
    return _node(found[0]["Plan"])


_CONDITIONS = ("Filter", "Index Cond", "Recheck Cond", "Join Filter")


def _node(plan: Mapping[str, Any]) -> Node:
    return Node(
        kind=plan["Node Type"],
        relation=plan.get("Relation Name"),
        index=plan.get("Index Name"),
        backward=plan.get("Scan Direction") == "Backward",
        rows=plan["Actual Rows"] * plan["Actual Loops"],
        lossy_pages=plan.get("Lossy Heap Blocks", 0),
        condition=" ".join(str(plan[one]) for one in _CONDITIONS if one in plan),
        children=tuple(_node(child) for child in plan.get("Plans", ())),
    )
