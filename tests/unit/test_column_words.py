"""What a column's name says about its row, in every spelling, and what says nothing."""

from __future__ import annotations

import pytest

from checks.doctor.column_words import Says, Sort, Telling, is_use, tells_of_use, tells_of_view
from checks.doctor.row_tallies import Reading, Statistics, Tally
from checks.relations import Column

_TYPES = {
    "boolean": "B",
    "bigint": "N",
    "integer": "N",
    "smallint": "N",
    "text": "S",
    "date": "D",
    "time without time zone": "D",
    "timestamp with time zone": "D",
    "jsonb": "U",
}
MOMENT = "timestamp with time zone"


def column(name: str, kind: str = "boolean", *, not_null: bool = False) -> Column:
    return Column(name, kind, kind, not_null, False, _TYPES[kind], kind == MOMENT, True)


def says(telling: Telling | None) -> tuple[Says, Sort] | None:
    return None if telling is None else (telling.says, telling.sort)


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("seen", "boolean", (Says.COUNTS, Sort.FLAG)),
        ("isRead", "boolean", (Says.COUNTS, Sort.FLAG)),
        ("IS_READ", "boolean", (Says.COUNTS, Sort.FLAG)),
        ("isread", "boolean", (Says.COUNTS, Sort.FLAG)),
        ("has_been_viewed", "boolean", (Says.COUNTS, Sort.FLAG)),
        ("view_seen", "boolean", (Says.COUNTS, Sort.FLAG)),
        ("first_seen_at", MOMENT, (Says.COUNTS, Sort.MOMENT)),
        ("lastViewedAt", MOMENT, (Says.COUNTS, Sort.MOMENT)),
        ("viewed_on", "date", (Says.COUNTS, Sort.MOMENT)),
        ("view_count", "integer", (Says.COUNTS, Sort.NUMBER)),
        ("read_at", "bigint", (Says.COUNTS, Sort.NUMBER)),
        ("hidden", "boolean", (Says.EXCLUDED, Sort.FLAG)),
        ("not_seen", "boolean", (Says.EXCLUDED, Sort.FLAG)),
        ("deletedAt", MOMENT, (Says.EXCLUDED, Sort.MOMENT)),
        ("deleteat", "bigint", (Says.EXCLUDED, Sort.NUMBER)),
        ("put_away_at", MOMENT, (Says.EXCLUDED, Sort.MOMENT)),
        ("status", "text", (Says.STATE, Sort.VALUE)),
        ("lastAction", "smallint", (Says.STATE, Sort.VALUE)),
        ("entity_type", "text", (Says.KIND, Sort.VALUE)),
        ("content_type_id", "integer", (Says.KIND, Sort.VALUE)),
    ],
)
def test_a_column_of_the_impressions_says_whether_its_row_is_a_view(
    name: str, kind: str, said: tuple[Says, Sort]
) -> None:
    assert says(tells_of_view(column(name, kind), "user_views")) == said


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("pinned", "boolean"),
        ("favourite", "boolean"),
        ("is_library", "boolean"),
        ("from_mobile", "boolean"),
        ("email_read", "boolean"),
        ("bridge_at", MOMENT),
        ("created_at", MOMENT),
        ("liked_at", MOMENT),
        ("seen_by_device", "text"),
        ("times", "integer"),
        ("version", "integer"),
        ("seconds", "integer"),
        ("position", "smallint"),
        ("opening", "time without time zone"),
        ("seen", "time without time zone"),
        ("status", "jsonb"),
        ("status", "boolean"),
        ("stateful", "text"),
        ("gesehen", "text"),
        ("目", "boolean"),
    ],
)
def test_a_column_about_something_else_says_nothing_of_a_view(name: str, kind: str) -> None:
    assert tells_of_view(column(name, kind), "user_views") is None


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("gone", "bigint", (Says.EXCLUDED, Sort.NUMBER)),
        ("deleted_at", MOMENT, (Says.EXCLUDED, Sort.MOMENT)),
        ("standIn", "boolean", (Says.EXCLUDED, Sort.FLAG)),
        ("user_deleted", "boolean", (Says.EXCLUDED, Sort.FLAG)),
        ("account_closed", "boolean", (Says.EXCLUDED, Sort.FLAG)),
        ("soft_deleted", "boolean", (Says.EXCLUDED, Sort.FLAG)),
        ("visitor_banned", "boolean", (Says.EXCLUDED, Sort.FLAG)),
        ("left", "boolean", (Says.EXCLUDED, Sort.FLAG)),
        ("is_active", "boolean", (Says.COUNTS, Sort.FLAG)),
        ("approved_at", MOMENT, (Says.COUNTS, Sort.MOMENT)),
        ("pool_status", "text", (Says.STATE, Sort.VALUE)),
    ],
)
def test_a_column_of_the_users_says_whether_they_are_in_use(
    name: str, kind: str, said: tuple[Says, Sort]
) -> None:
    assert says(tells_of_use(column(name, kind), "visitors", of_users=True)) == said


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("newsletter", "boolean"),
        ("newsletter_enabled", "boolean"),
        ("comments_closed", "boolean"),
        ("email_blocked", "boolean"),
        ("last_active_at", MOMENT),
        ("last_seen_at", MOMENT),
        ("blocked_until", MOMENT),
        ("deleted_by", "bigint"),
        ("public", "boolean"),
        ("subscription_tier", "text"),
        ("state", "integer"),
    ],
)
def test_a_column_about_something_else_says_nothing_of_use(name: str, kind: str) -> None:
    assert tells_of_use(column(name, kind), "users", of_users=True) is None


def test_who_may_see_a_profile_is_not_who_uses_the_app() -> None:
    assert tells_of_use(column("public"), "users", of_users=True) is None
    assert says(tells_of_use(column("public"), "works", of_users=False)) is not None


def test_values_give_a_column_away_only_if_each_is_a_word_for_it() -> None:
    assert is_use(["open", "closed"])
    assert is_use(["PUBLISHED", "soft-deleted"])
    assert not is_use(["open", "listed"])
    assert not is_use(["closed", "north"])


def tally(telling: Telling, rows: dict[str | None, int]) -> Tally:
    return Tally(telling, telling.column.name, rows)


def test_a_number_that_counts_something_is_neither_a_flag_nor_a_moment() -> None:
    left = Telling(column("left", "integer"), Says.EXCLUDED, Sort.NUMBER)
    assert tally(left, {Reading.ZERO: 3, Reading.ONE: 2}).excluding() == {Reading.ONE: 2}
    assert tally(left, {Reading.ZERO: 3, Reading.EPOCH: 2}).excluding() == {Reading.EPOCH: 2}
    assert tally(left, {Reading.ZERO: 3, Reading.ONE: 2, Reading.OTHER: 1}).excluding() == {}


@pytest.mark.parametrize(
    ("name", "kind", "statistics", "nothing"),
    [
        ("seen", "boolean", Statistics(0, 1, {"t": 1.0}, None), True),
        ("seen", "boolean", Statistics(0.1, 1, {"t": 0.9}, None), False),
        ("seen", "boolean", Statistics(0, 2, {"t": 0.9, "f": 0.1}, None), False),
        ("hidden", "boolean", Statistics(0.5, 1, {"f": 0.5}, None), True),
        ("hidden", "boolean", Statistics(0, 2, {"f": 0.9, "t": 0.1}, None), False),
        ("seen", "boolean", Statistics(0, 2, {"t": 0.9}, None), False),
        ("read_at", MOMENT, Statistics(0, -1, {}, False), True),
        ("read_at", MOMENT, Statistics(0, -1, {}, True), False),
        ("read_at", MOMENT, Statistics(0.01, -1, {}, False), False),
        ("deleted_at", MOMENT, Statistics(1, 0, {}, False), True),
        ("deleted_at", MOMENT, Statistics(0.9, -0.1, {}, False), False),
        ("looked", "bigint", Statistics(0, -1, {}, False), True),
        ("looked", "bigint", Statistics(0, -1, {}, True), False),
        ("deleted", "bigint", Statistics(0, 1, {"0": 1.0}, True), True),
        ("deleted", "bigint", Statistics(0, -0.1, {"0": 0.9}, True), False),
        ("status", "text", Statistics(0, 1, {"seen": 1.0}, None), True),
        ("status", "text", Statistics(0.1, 1, {"seen": 0.9}, None), False),
    ],
)
def test_a_sample_shows_nothing_only_where_every_row_of_it_counts(
    name: str, kind: str, statistics: Statistics, nothing: bool
) -> None:
    telling = tells_of_view(column(name, kind), "views")
    assert telling is not None
    assert statistics.show_nothing(telling) is nothing


def test_rows_are_estimated_from_shares() -> None:
    looked = Telling(column("looked", "bigint"), Says.COUNTS, Sort.NUMBER)
    estimated = Statistics(0.25, -0.5, {"0": 0.25, "1700000000": 0.125}, True).rows(looked, 800)
    assert estimated == {None: 200, Reading.ZERO: 200, Reading.EPOCH: 400}
    seen = Telling(column("seen"), Says.COUNTS, Sort.FLAG)
    assert Statistics(0, 2, {"t": 0.75}, None).rows(seen, 8) == {Reading.TRUE: 6, Reading.FALSE: 2}
