"""What the checks count equals a count in plain Python, in every schema, on generated galleries."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks import row_faults, supply
from checks.census import parameters
from checks.judgement import MAX_EVIDENCE, Measurement
from checks.page_visits import MOST_BITMAP
from checks.spec import Cutoffs
from tests.support.app_schema import INFINITY, MICROSECOND, AppSchema
from tests.support.galleries import SHOWN, Gallery, Person, Piece, galleries, micros
from tests.support.generated import examples
from tests.support.open_schema import OpenSchema, open_schema
from tests.support.oracle import ExpectedCensus, expected_census
from tests.support.paired_schemas import in_every_schema
from tests.support.schema_matrix import APP
from tests.support.views import readings, set_viewed

Pair = tuple[int, int]
SKEW = timedelta(minutes=5) // MICROSECOND
DAY = timedelta(days=1) // MICROSECOND
HOUR = DAY // 24


@examples(12)
@given(data=st.data())
async def test_duplicates_and_orphans_are_counted_as_in_plain_python(
    opened: OpenSchema, data: st.DataObject
) -> None:
    gallery = data.draw(galleries(opened.schema))
    cutoffs = Cutoffs.at(gallery.now, gallery.pools)
    async with opened.holding(gallery) as connection:
        asked = (connection, opened.catalogue, gallery.pools, cutoffs)
        doubled = await row_faults.measure_duplicates(*asked)
        orphaned = await row_faults.measure_orphans(*asked)
    times = Counter(view for view in gallery.views if None not in view)
    several = {pair: count for pair, count in times.items() if count > 1}
    assert (doubled.skipped is not None) == opened.schema.strict
    if doubled.skipped is None:
        assert doubled.value == sum(several.values()) - len(several)
        assert doubled.numbers["pairs"] == len(several)
        assert doubled.numbers["impressions"] == sum(several.values())
        assert len(doubled.evidence) == min(len(several), MAX_EVIDENCE)
    people = {person.id for person in gallery.people}
    pieces = {piece.id for piece in gallery.pieces}
    lost = [viewer not in people or piece not in pieces for viewer, piece in gallery.views]
    if orphaned.skipped is None:
        assert orphaned.value == sum(lost)
        assert orphaned.numbers == {
            "impressions_without_user": sum(u not in people for u, _ in gallery.views),
            "impressions_without_artwork": sum(a not in pieces for _, a in gallery.views),
            "missing_users": len({u for u, _ in gallery.views} - people),
            "missing_artworks": len({a for _, a in gallery.views} - pieces),
        }
    else:
        assert not opened.schema.orphans_shown or not any(lost)


@examples(12)
@given(data=st.data())
async def test_impossible_times_are_counted_as_in_plain_python(
    opened: OpenSchema, data: st.DataObject
) -> None:
    gallery = data.draw(galleries(opened.schema))
    pairs = {(u, a) for u, a in gallery.views if u is not None and a is not None}
    viewed = {pair: data.draw(moments_of(gallery, pair[1])) for pair in sorted(pairs)}
    cutoffs = Cutoffs.at(gallery.now, gallery.pools)
    key = opened.schema.key
    async with opened.holding(gallery) as connection:
        moved = {(key(user), key(piece)): moment for (user, piece), moment in viewed.items()}
        await set_viewed(connection, opened.catalogue, moved)
        found = await row_faults.measure_timestamps(
            connection, opened.catalogue, gallery.pools, cutoffs
        )
    expected = impossible_times(gallery, opened, viewed)
    assert found.numbers == expected
    assert found.value == sum(expected.values())
    assert {row["kind"] for row in found.evidence} == {k for k, count in expected.items() if count}


def moments_of(gallery: Gallery, piece: int) -> st.SearchStrategy[int]:
    """Around the artwork's creation and the present, give or take the clocks' patience."""
    corners = [micros(gallery.now) + SKEW]
    created = {p.id: p.created for p in gallery.pieces}.get(piece)
    if created is not None and abs(created) != INFINITY:
        corners.append(created - SKEW)
    near = [corner + step for corner in corners for step in (0, -1, 1, -HOUR, HOUR, -DAY, DAY)]
    return st.sampled_from([*near, -INFINITY, INFINITY])


def impossible_times(
    gallery: Gallery, opened: OpenSchema, viewed: Mapping[Pair, int]
) -> dict[str, int]:
    """Each kind, counted row by row."""
    schema, spec = opened.schema, opened.catalogue.spec
    views_column = opened.catalogue.viewed
    assert views_column is not None
    works_column = opened.catalogue.created
    shown = [p for p in gallery.pieces if not schema.pieces_filtered or p.note == SHOWN]
    created = {
        p.id: readings(works_column, spec.timezone, p.created)
        for p in shown
        if p.created is not None
    }
    future = micros(gallery.now) + SKEW
    before = ahead = 0
    for user, piece in gallery.views:
        if user is None or piece is None:
            continue  # Viewed at the present; and a missing artwork has no creation.
        earliest, _, latest = readings(views_column, spec.timezone, viewed[user, piece])
        ahead += earliest > future
        before += earliest <= future and piece in created and latest < created[piece][0] - SKEW
    if not schema.strict:
        # Of those that name no user, the present stays; their artwork may be of the future.
        nameless = [a for u, a in gallery.views if u is None and a in created]
        before += sum(micros(gallery.now) < created[a][0] - SKEW for a in nameless)
    return {
        "impressions_before_artwork": before,
        "impressions_in_future": ahead,
        "artworks_in_future": sum(first > future for first, _, _ in created.values()),
        "artworks_without_time": sum(p.created is None for p in shown),
    }


@pytest.fixture(params=[MOST_BITMAP, 0], ids=["looked up", "joined"])
def most_bitmap(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where an index finds the impressions of young artworks, and where it is not asked."""
    monkeypatch.setattr(supply, "MOST_BITMAP", request.param)


@pytest.mark.usefixtures("most_bitmap")
@in_every_schema
@examples(12)
@given(data=st.data())
async def test_exhausted_users_are_those_whom_the_definition_leaves_too_little(
    opened: OpenSchema, data: st.DataObject
) -> None:
    gallery = data.draw(galleries(opened.schema))
    minimum = data.draw(st.sampled_from([1, 2, 3, 5]))
    cutoffs = Cutoffs.at(gallery.now, gallery.pools)
    async with opened.holding(gallery) as connection:
        found = await supply.measure_pool(
            connection, opened.catalogue, gallery.pools, cutoffs, minimum=minimum
        )
        planned = await connection.exec_driver_sql(
            supply.exhausted_sql(opened.catalogue, gallery.pools),
            {**parameters(cutoffs), **supply.pool_parameters(cutoffs, minimum)},
        )
    assert_exhausted(found, gallery, opened.schema, minimum)
    # Of those whom a plan is about.
    assert planned.scalar_one() == sum(
        counted and legacy > 0 and fresh + storage < minimum
        for counted, (_, fresh, storage, legacy) in (
            expected_census(gallery, opened.schema).by_user.values()
        )
    )


@pytest.mark.parametrize("newest", [1, supply.NEWEST])
@examples(40)
@given(data=st.data())
async def test_the_newest_artworks_say_the_same_as_all(
    shared_url: str, newest: int, data: st.DataObject
) -> None:
    now = datetime(2026, 1, 15, 12, tzinfo=UTC)
    created = data.draw(st.lists(st.integers(0, 6 * DAY), min_size=4, max_size=9))
    pieces = tuple(Piece(number, micros(now) - age) for number, age in enumerate(created))
    people = tuple(map(Person, range(data.draw(st.integers(1, 3)))))
    pairs = [(person.id, piece.id) for person in people for piece in pieces]
    views = data.draw(st.lists(st.sampled_from(pairs), unique=True, max_size=len(pairs)))
    gallery = Gallery(now, people=people, pieces=pieces, views=tuple(views))
    minimum = data.draw(st.sampled_from([1, 2]))
    async with open_schema(shared_url, APP) as opened:
        asked = (opened.catalogue, gallery.pools, Cutoffs.at(now, gallery.pools))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(supply, "NEWEST", newest)
            async with opened.holding(gallery) as connection:
                found = await supply.measure_pool(connection, *asked, minimum=minimum)
    assert_exhausted(found, gallery, APP, minimum)


def assert_exhausted(found: Measurement, gallery: Gallery, schema: AppSchema, minimum: int) -> None:
    """The check found what the definition says."""
    reckoning = expected_census(gallery, schema)
    left = {
        user: fresh + storage
        for user, (counted, (_, fresh, storage, _)) in reckoning.by_user.items()
        if counted
    }
    worst = sorted((count, user) for user, count in left.items() if count < minimum)
    assert found.value == len(worst)
    assert found.numbers["users"] == len(left)
    assert found.numbers["exhausted"] == len(worst)
    assert found.numbers.get("seen_share") == seen_share(gallery, schema, reckoning)
    counts = [left[row["user_id"]] for row in found.evidence]
    assert counts == [count for count, _ in worst]
    assert {row["user_id"] for row in found.evidence} == {user for _, user in worst}


def seen_share(gallery: Gallery, schema: AppSchema, reckoning: ExpectedCensus) -> float | None:
    """The pool is what would be fresh or in storage, had nobody seen anything."""
    unseen = expected_census(replace(gallery, views=()), schema).states
    pool = [
        pair
        for pair, state in unseen.items()
        if state in {"fresh", "storage"} and reckoning.by_user[pair[0]][0]
    ]
    seen = sum(reckoning.states[pair] == "tracked" for pair in pool)
    return seen / len(pool) if pool else None


@examples(12)
@given(data=st.data())
async def test_the_supply_is_as_old_as_the_newest_artwork(
    opened: OpenSchema, data: st.DataObject
) -> None:
    schema = opened.schema
    gallery = data.draw(galleries(schema))
    cutoffs = Cutoffs.at(gallery.now, gallery.pools)
    async with opened.holding(gallery) as connection:
        found = await supply.measure_supply(connection, opened.catalogue, gallery.pools, cutoffs)
    now = micros(gallery.now)
    ages = [now - moment for p in gallery.pieces if (moment := born(p, schema, now)) is not None]
    assert found.value is not None
    if not ages or min(ages) > INFINITY // 2:
        assert found.value == math.inf
        assert found.evidence == ()
    else:
        assert found.value == pytest.approx(max(0, min(ages)) / 1_000_000, abs=1e-5)
        assert len(found.evidence) == 1


def born(piece: Piece, schema: AppSchema, now: int) -> int | None:
    """When the artwork was made, unless it does not count or lies in the future."""
    if schema.pieces_filtered and piece.note != SHOWN:
        return None
    kept = schema.kept(piece.created)
    return kept if kept is not None and kept <= now + SKEW else None
