"""To the microsecond: on which side of each border a pair lies, in every form and every answer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.census import count_affected_users, exact_forms, take_census
from checks.pairs import explain, read_pair, take_user_census
from checks.spec import Audience, Cutoffs, PoolsSpec
from tests.support.databases import EMPTY, cloned
from tests.support.galleries import Gallery, Person, Piece, micros
from tests.support.hall_list import AGED, APP, LOOSE, OWNED_AGED, PLAIN
from tests.support.halls import Hall
from tests.support.opening import OpenHall, open_hall
from tests.support.postgres import PostgresServer

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


@pytest.fixture(scope="module")
def url(server: PostgresServer) -> Iterator[str]:
    """One database for all tests here: whatever they insert is rolled back."""
    with cloned(server, EMPTY) as made:
        yield made


async def counts_of(
    opened: OpenHall, connection: AsyncConnection, gallery: Gallery
) -> tuple[int, int, int, int]:
    """The gallery's counts, once every form and every answer agrees on them."""
    cutoffs = Cutoffs.at(gallery.now, gallery.pools)
    user, artwork = opened.hall.key(0), opened.hall.key(0)
    asked = (connection, opened.catalogue, gallery.pools, cutoffs)
    one = await take_user_census(*asked, user)
    counts = (one.tracked, one.fresh, one.storage, one.legacy_untracked)
    facts = await read_pair(*asked, user_id=user, artwork_id=artwork)
    assert explain(facts, gallery.pools, cutoffs).state == STATES[counts]
    for form in exact_forms(opened.catalogue, gallery.pools):
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


@pytest.mark.parametrize("hall", [APP, PLAIN, LOOSE, OWNED_AGED], ids=lambda hall: hall.name)
async def test_an_age_that_is_reached_counts_and_a_moment_before_does_not(
    url: str, hall: Hall
) -> None:
    async with open_hall(url, hall) as opened:
        for border, pools, sides in SIDES:
            await assert_sides(opened, pools, (Person(0, None),), border, sides)


@pytest.mark.parametrize("hall", [AGED, OWNED_AGED], ids=lambda hall: hall.name)
async def test_an_artwork_made_in_the_very_moment_of_its_user_can_be_legacy(
    url: str, hall: Hall
) -> None:
    people = (Person(0, micros(CAME)),)
    async with open_hall(url, hall) as opened:
        await assert_sides(opened, OPEN_ENDED, people, CAME, (STORAGE, LEGACY, LEGACY))


async def assert_sides(
    opened: OpenHall,
    pools: PoolsSpec,
    people: tuple[Person, ...],
    border: datetime,
    sides: Sides,
) -> None:
    for step, expected in zip((-1, 0, 1), sides, strict=True):
        pieces = (Piece(0, micros(border) + step, owner=0),)
        gallery = Gallery(NOW, pools, people=people, pieces=pieces)
        async with opened.hanging(gallery) as connection:
            assert await counts_of(opened, connection, gallery) == expected


@pytest.mark.parametrize("hall", [APP, LOOSE, AGED, OWNED_AGED], ids=lambda hall: hall.name)
async def test_what_the_last_verified_heal_covered_has_appeared_and_the_rest_has_aged(
    url: str, hall: Hall
) -> None:
    cutoffs = Cutoffs.at(NOW, OPEN_ENDED)
    pieces = tuple(Piece(step, micros(VERIFIED) + step - 1, owner=0) for step in range(3))
    gallery = Gallery(NOW, OPEN_ENDED, people=(Person(0),), pieces=pieces)
    async with open_hall(url, hall) as opened, opened.hanging(gallery) as connection:
        for until, appeared in ((VERIFIED, 2), (None, 0), (NOW, 3)):
            census = await take_census(
                connection, opened.catalogue, OPEN_ENDED, cutoffs, verified_until=until
            )
            assert (census.legacy_untracked, census.appeared) == (3, appeared)
            assert census.aged == 3 - appeared
            assert census.oldest_legacy_created == (micros(VERIFIED) - 1) / 1e6
