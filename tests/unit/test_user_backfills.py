"""How many users share the next transaction."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitor.healing.user_backfill import Group, Left, Outcome, WrittenUser
from monitor.loop.user_backfills import LEAST_USERS, MOST_USERS, next_size

TARGET = 0.25


def group(users: int, rows_each: int, seconds: float, *, others: int = 0) -> Group:
    done: tuple[Outcome, ...] = (WrittenUser(1, rows_each),) * users
    return Group((*done, *(Left.NOTHING,) * others), seconds)


def size_after(size: int, done: Group, most_rows: int = 2000) -> int:
    return next_size(size, done, most_rows=most_rows, target_seconds=TARGET)


def test_users_with_few_pairs_share_as_many_as_there_are() -> None:
    assert size_after(MOST_USERS, group(MOST_USERS, 10, 0.05)) == MOST_USERS


def test_users_with_many_pairs_are_taken_as_far_as_there_is_room() -> None:
    assert size_after(MOST_USERS, group(15, 130, 0.2)) == 15


def test_one_that_took_longer_than_a_batch_may_is_followed_by_half() -> None:
    assert size_after(MOST_USERS, group(20, 10, 0.3)) == MOST_USERS // 2
    assert size_after(20, group(0, 0, 0.3, others=8)) == 10


def test_time_alone_never_takes_it_below_where_most_of_it_is_fixed() -> None:
    size = MOST_USERS
    for _ in range(10):
        size = size_after(size, group(size, 10, 60.0))
    assert size == LEAST_USERS


def test_who_misses_nothing_takes_no_room() -> None:
    assert size_after(4, group(0, 0, 0.01, others=4)) == 8


@given(
    size=st.integers(1, MOST_USERS),
    users=st.integers(0, MOST_USERS),
    rows=st.integers(1, 10_000),
    seconds=st.floats(0, 100),
    most_rows=st.integers(1, 2000),
)
def test_there_is_always_somebody_and_never_more_than_the_most(
    size: int, users: int, rows: int, seconds: float, most_rows: int
) -> None:
    found = size_after(size, group(min(users, size), rows, seconds), most_rows)
    assert 1 <= found <= min(MOST_USERS, max(LEAST_USERS, 2 * size))


@given(rows=st.integers(1, 100), slow=st.integers(1, 20))
def test_a_slow_spell_is_over_within_five_transactions(rows: int, slow: int) -> None:
    size = MOST_USERS
    for _ in range(slow):
        size = size_after(size, group(size, rows, 1.0))
    for _ in range(5):
        size = size_after(size, group(size, rows, 0.01))
    assert size >= min(MOST_USERS, 2000 // rows) - 1
