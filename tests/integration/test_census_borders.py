"""To the microsecond: on which side of each border a pair lies, in every form and every answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.affected import count_affected_users
from checks.census import exact_forms, take_census
from checks.pairs import explain, read_pair, take_user_census
from checks.spec import Audience, Cutoffs, PoolsSpec
from tests.support.app_schema import AppSchema
from tests.support.galleries import Gallery, Listing, Person, Piece, micros
from tests.support.open_schema import OpenSchema, open_schema
from tests.support.paired_schemas import THROUGH_AGED, THROUGH_SINCE
from tests.support.schema_matrix import AGED, APP, LOOSE, OWNED_AGED, PLAIN

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
OPEN_ENDED = PoolsSpec(audience=Audience.ALL)
BEFORE = NOW - timedelta(days=30)
ENDED = PoolsSpec(audience=Audience.ALL, legacy_created_before=BEFORE)
CAME = NOW - timedelta(days=20)
VERIFIED = NOW - timedelta(days=10)

FRESH, STORAGE, LEGACY = (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)
STATES = {FRESH: "fresh", STORAGE: "storage", LEGACY: "legacy_untracked"}
Sides = tuple[tuple[int, int, int, int], ...]
"""The counts one microsecond before the border, on it, and one after."""


async def counts_of(
    opened: OpenSchema, connection: AsyncConnection, gallery: Gallery
) -> tuple[int, int, int, int]:
    """The gallery's counts, once every form and every answer agrees on them."""
    cutoffs = Cutoffs.at(gallery.now, gallery.pools)
    user, artwork = opened.schema.key(0), opened.schema.key(0)
    asked = (connection, opened.catalogue, gallery.pools, cutoffs)
    one = await take_user_census(*asked, user)
    counts = (one.tracked, one.fresh, one.storage, one.legacy_untracked)
    facts = await read_pair(*asked, user_id=user, artwork_id=artwork)
    assert explain(facts, gallery.pools, cutoffs).state == STATES[counts]
    for form in exact_forms(opened.catalogue):
        census = await take_census(*asked, form=form)
        assert census.counts == counts
        assert (await count_affected_users(*asked, census)).affected == counts[3]
    return counts


SIDES: tuple[tuple[datetime, PoolsSpec, Sides], ...] = (
    (NOW + timedelta(days=1), OPEN_ENDED, (FRESH, FRESH, FRESH)),
    (NOW - timedelta(minutes=15), OPEN_ENDED, (STORAGE, STORAGE, FRESH)),
    (NOW - timedelta(days=7), OPEN_ENDED, (LEGACY, LEGACY, STORAGE)),
    (BEFORE, ENDED, (LEGACY, STORAGE, STORAGE)),
    (NOW - timedelta(days=9), ENDED, (STORAGE, STORAGE, STORAGE)),
)


@pytest.mark.parametrize("schema", [APP, PLAIN, LOOSE, OWNED_AGED], ids=lambda schema: schema.name)
async def test_an_age_that_is_reached_counts_and_a_moment_before_does_not(
    shared_url: str, schema: AppSchema
) -> None:
    async with open_schema(shared_url, schema) as opened:
        for border, pools, sides in SIDES:
            await assert_sides(opened, pools, (Person(0, None),), border, sides)


@pytest.mark.parametrize("schema", [AGED, OWNED_AGED], ids=lambda schema: schema.name)
async def test_an_artwork_made_in_the_very_moment_of_its_user_can_be_legacy(
    shared_url: str, schema: AppSchema
) -> None:
    people = (Person(0, micros(CAME)),)
    async with open_schema(shared_url, schema) as opened:
        await assert_sides(opened, OPEN_ENDED, people, CAME, (STORAGE, LEGACY, LEGACY))


@pytest.mark.parametrize("schema", [THROUGH_SINCE, THROUGH_AGED], ids=lambda schema: schema.name)
async def test_an_artwork_made_in_the_very_moment_of_its_listing_can_be_legacy(
    shared_url: str, schema: AppSchema
) -> None:
    """Of two listings the earlier one counts, and one without a moment excuses nothing."""
    people = (Person(0, team="1"),)
    later = micros(CAME) + 1_000_000
    async with open_schema(shared_url, schema) as opened:
        for since, sides in (
            ((micros(CAME),), (STORAGE, LEGACY, LEGACY)),
            ((later, micros(CAME)), (STORAGE, LEGACY, LEGACY)),
            ((later, None), (LEGACY, LEGACY, LEGACY)),
            ((later,), (STORAGE, STORAGE, STORAGE)),
        ):
            listings = tuple(Listing(0, 0, moment) for moment in since)
            await assert_sides(opened, OPEN_ENDED, people, CAME, sides, listings)


async def assert_sides(
    opened: OpenSchema,
    pools: PoolsSpec,
    people: tuple[Person, ...],
    border: datetime,
    sides: Sides,
    listings: tuple[Listing, ...] = (),
) -> None:
    for step, expected in zip((-1, 0, 1), sides, strict=True):
        pieces = (Piece(0, micros(border) + step, owner=0, team="1"),)
        gallery = Gallery(NOW, pools, people=people, pieces=pieces, listings=listings)
        async with opened.holding(gallery) as connection:
            assert await counts_of(opened, connection, gallery) == expected


@pytest.mark.parametrize("schema", [APP, LOOSE, AGED, OWNED_AGED], ids=lambda schema: schema.name)
async def test_what_the_last_verified_heal_covered_has_appeared_and_the_rest_has_aged(
    shared_url: str, schema: AppSchema
) -> None:
    cutoffs = Cutoffs.at(NOW, OPEN_ENDED)
    pieces = tuple(Piece(step, micros(VERIFIED) + step - 1, owner=0) for step in range(3))
    gallery = Gallery(NOW, OPEN_ENDED, people=(Person(0),), pieces=pieces)
    async with open_schema(shared_url, schema) as opened, opened.holding(gallery) as connection:
        for until, appeared in ((VERIFIED, 2), (None, 0), (NOW, 3)):
            census = await take_census(
                connection, opened.catalogue, OPEN_ENDED, cutoffs, verified_until=until
            )
            assert (census.legacy_untracked, census.appeared) == (3, appeared)
            assert census.aged == 3 - appeared
            assert census.oldest_legacy_created == (micros(VERIFIED) - 1) / 1e6
