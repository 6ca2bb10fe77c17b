"""Slices of the work list: together they cover every planned row once, in order."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from monitor.healing.batch_size import MAX_USERS, BatchSlice, WorkItem, next_slice

sizes = st.integers(1, 60)


@st.composite
def work_lists(draw: st.DrawFn, most: int = 30) -> list[WorkItem]:
    """Positions ascend and may have gaps; a user may have no planned rows left."""
    gaps = draw(st.lists(st.integers(1, 3), max_size=most))
    rows_each = st.integers(0, 6) | st.integers(0, 100)
    planned = draw(st.lists(rows_each, min_size=len(gaps), max_size=len(gaps)))
    position = 0
    items = []
    for gap, rows in zip(gaps, planned, strict=True):
        position += gap
        items.append(WorkItem(position, rows))
    return items


@dataclass(frozen=True)
class Taken:
    """What one slice took: the users, and their rows."""

    part: BatchSlice
    rows: dict[int, int]


def walked(items: list[WorkItem], sizes: list[int], allowed: int) -> list[Taken]:
    """Every slice to the end of the list or of the plan; each takes what it may."""
    left = {item.position: item.planned for item in items}
    taken: list[Taken] = []
    cursor = 0
    while True:
        size = sizes[len(taken) % len(sizes)]
        todo = [WorkItem(at, rows) for at, rows in left.items() if at > cursor]
        part = next_slice(todo, size, allowed)
        if part is None:
            return taken
        users = [item for item in todo if item.position <= part.until]
        assert len(users) == part.users
        limit = part.limit if part.splits else 10**9
        rows = {item.position: min(item.planned, limit) for item in users}
        taken.append(Taken(part, rows))
        for at, number in rows.items():
            left[at] -= number
        allowed -= sum(rows.values())
        unfinished = part.splits and rows[part.until] == part.limit and allowed > 0
        if not unfinished:
            cursor = part.until
        assert len(taken) < 10_000, "the slices never end"


@given(work_lists(), st.lists(sizes, min_size=1, max_size=10))
def test_slices_cover_every_planned_row_exactly_once_and_in_order(
    items: list[WorkItem], sizes: list[int]
) -> None:
    planned = sum(item.planned for item in items)
    taken = walked(items, sizes, planned)
    visited = [at for part in taken for at in part.rows]
    assert visited == sorted(visited)
    assert set(visited) >= {item.position for item in items if item.planned}
    for item in items:
        assert sum(part.rows.get(item.position, 0) for part in taken) == item.planned


@given(work_lists(), st.lists(sizes, min_size=1, max_size=10), st.integers(0, 2000))
def test_no_more_rows_are_taken_than_the_plan_allows(
    items: list[WorkItem], sizes: list[int], allowed: int
) -> None:
    taken = walked(items, sizes, allowed)
    total = sum(sum(part.rows.values()) for part in taken)
    assert total == min(allowed, sum(item.planned for item in items))
    assert all(part.part.limit > 0 for part in taken)


@given(work_lists(), sizes, st.integers(0, 2000))
def test_a_slice_of_several_users_holds_no_more_rows_than_its_size(
    items: list[WorkItem], size: int, rows_left: int
) -> None:
    part = next_slice(items, size, rows_left)
    if part is None or part.splits:
        return
    inside = [item.planned for item in items if item.position <= part.until]
    assert sum(inside) <= size
    assert sum(inside) <= rows_left
    assert len(inside) == part.users <= MAX_USERS


@given(work_lists(), sizes, st.integers(1, 2000))
def test_a_slice_takes_as_many_whole_users_as_fit(
    items: list[WorkItem], size: int, rows_left: int
) -> None:
    part = next_slice(items, size, rows_left)
    if part is None or part.splits or part.users == len(items):
        return
    with_the_next = sum(item.planned for item in items[: part.users + 1])
    assert with_the_next > size or with_the_next > rows_left


@given(sizes, st.integers(1, 100), st.integers(1, 200))
def test_a_user_larger_than_the_size_is_split(size: int, excess: int, rows_left: int) -> None:
    items = [WorkItem(3, size + excess), WorkItem(4, 1)]
    assert next_slice(items, size, rows_left) == BatchSlice(
        until=3, users=1, limit=min(size, rows_left), splits=True
    )


def test_a_slice_never_holds_more_users_than_cost_an_index_scan_each() -> None:
    items = [WorkItem(position, 0) for position in range(1, 2 * MAX_USERS)]
    part = next_slice(items, 10_000, 10_000)
    assert part == BatchSlice(until=MAX_USERS, users=MAX_USERS, limit=10_000, splits=False)


def test_a_slice_may_be_exactly_full_and_not_one_row_more() -> None:
    items = [WorkItem(1, 5), WorkItem(2, 5), WorkItem(3, 1)]
    assert next_slice(items, 10, 100) == BatchSlice(until=2, users=2, limit=10, splits=False)
    assert next_slice(items, 9, 100) == BatchSlice(until=1, users=1, limit=9, splits=False)


def test_the_user_that_fills_the_rest_of_the_plan_goes_along_with_the_others() -> None:
    items = [WorkItem(1, 5), WorkItem(2, 7), WorkItem(3, 7)]
    assert next_slice(items, 100, 12) == BatchSlice(until=2, users=2, limit=100, splits=False)


def test_a_user_with_more_than_the_rest_of_the_plan_goes_alone_and_bounded() -> None:
    items = [WorkItem(1, 5), WorkItem(2, 7), WorkItem(3, 7)]
    assert next_slice(items, 100, 11) == BatchSlice(until=1, users=1, limit=100, splits=False)
    assert next_slice(items[1:], 100, 6) == BatchSlice(until=2, users=1, limit=6, splits=True)


def test_there_is_no_slice_after_the_end_of_the_list_or_of_the_plan() -> None:
    assert next_slice([], 100, 100) is None
    assert next_slice([WorkItem(1, 5)], 100, 0) is None
