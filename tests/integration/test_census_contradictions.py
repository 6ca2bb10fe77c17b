"""A census whose proof no longer holds says so instead of publishing numbers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.affected import count_affected_users
from checks.census import Census, CensusForm, take_census
from checks.errors import StatementError
from checks.spec import Cutoffs, PoolsSpec
from tests.support.galleries import Gallery, Person, Piece, micros
from tests.support.open_schema import OpenSchema, open_schema, run
from tests.support.schema_matrix import APP, LOOSE

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
OLD, YOUNG = (micros(NOW - timedelta(days=days)) for days in (30, 1))
POOLS = PoolsSpec()
BORDERS = Cutoffs.at(NOW, POOLS)

TWO_PEOPLE = (Person(0), Person(1))
OLD_AND_YOUNG = (Piece(0, OLD), Piece(1, YOUNG))


@pytest.fixture
async def loose(shared_url: str) -> AsyncIterator[OpenSchema]:
    async with open_schema(shared_url, LOOSE) as made:
        yield made


@pytest.fixture
async def app(shared_url: str) -> AsyncIterator[OpenSchema]:
    async with open_schema(shared_url, APP) as made:
        yield made


async def counted(opened: OpenSchema, connection: AsyncConnection, form: CensusForm) -> Census:
    return await take_census(connection, opened.catalogue, POOLS, BORDERS, form=form)


@pytest.mark.parametrize(
    ("views", "form"),
    [
        pytest.param([(0, 0), (0, 0), (0, 1)], CensusForm.BY_ARTWORK, id="duplicates by artwork"),
        pytest.param([(0, 0), (14, 0)], CensusForm.BY_ARTWORK, id="an orphan by artwork"),
        pytest.param([(0, 0), (None, 0)], CensusForm.BY_ARTWORK, id="a null by artwork"),
        pytest.param([(0, 0), (0, 0), (0, 1)], CensusForm.BY_PROBE, id="duplicates by probe"),
        pytest.param([(0, 0), (14, 0)], CensusForm.BY_PROBE, id="an orphan by probe"),
    ],
)
async def test_more_impressions_than_pairs_are_a_contradiction(
    loose: OpenSchema, views: list[tuple[int | None, int | None]], form: CensusForm
) -> None:
    gallery = Gallery(NOW, people=TWO_PEOPLE, pieces=OLD_AND_YOUNG, views=tuple(views))
    async with loose.holding(gallery) as connection:
        with pytest.raises(StatementError, match=r"contradicts itself.*conservator doctor"):
            await counted(loose, connection, form)
        census = await counted(loose, connection, CensusForm.BY_ARTWORK_JOINED)
    assert census.pairs == census.audience * 2


@pytest.mark.parametrize("views", [[(0, 0), (1, 0), (14, 0)], [(0, 0), (0, 0), (1, 0)]])
async def test_one_impression_too_many_is_found_though_most_artworks_are_complete(
    loose: OpenSchema, views: list[tuple[int | None, int | None]]
) -> None:
    pieces = tuple(Piece(number, OLD) for number in range(0, 8, 2))
    complete = [(person.id, piece.id) for person in TWO_PEOPLE for piece in pieces[1:]]
    gallery = Gallery(NOW, people=TWO_PEOPLE, pieces=pieces, views=(*views, *complete))
    async with loose.holding(gallery) as connection:
        with pytest.raises(StatementError, match="contradicts itself"):
            await counted(loose, connection, CensusForm.BY_PROBE)
    gallery = Gallery(NOW, people=TWO_PEOPLE, pieces=pieces, views=(*views[1:2], *complete))
    async with loose.holding(gallery) as connection:
        census = await counted(loose, connection, CensusForm.BY_PROBE)
    assert census.counts == (7, 0, 0, 1)
    assert census.incomplete == ("0",)


async def test_affected_users_that_do_not_add_up_to_the_census_are_refused(
    loose: OpenSchema,
) -> None:
    # A duplicate hides exactly the one pair that is missing, so the counts look plausible.
    gallery = Gallery(
        NOW,
        people=TWO_PEOPLE,
        pieces=(Piece(0, OLD), Piece(2, OLD)),
        views=((0, 0), (0, 0), (1, 2)),
    )
    async with loose.holding(gallery) as connection:
        census = await counted(loose, connection, CensusForm.BY_ARTWORK)
        assert census.legacy_untracked == 1
        with pytest.raises(StatementError, match=r"Two counts of one snapshot differ: 1 .* 2 by"):
            await count_affected_users(connection, loose.catalogue, POOLS, BORDERS, census)


async def test_a_catalogue_that_was_right_when_it_was_read_is_found_out(app: OpenSchema) -> None:
    pieces = (Piece(0, OLD), Piece(1, YOUNG))
    gallery = Gallery(NOW, people=TWO_PEOPLE[:1], pieces=pieces, views=((0, 0), (0, 1)))
    async with app.holding(gallery) as connection:
        await take_census(connection, app.catalogue, POOLS, BORDERS)
        await run(
            connection,
            "DROP INDEX user_art_impressions_unique_user_artwork;"
            "INSERT INTO user_art_impressions (user_id, artwork_id)"
            " SELECT user_id, artwork_id FROM user_art_impressions",
        )
        with pytest.raises(StatementError, match="contradicts itself"):
            await take_census(connection, app.catalogue, POOLS, BORDERS)


async def test_nobody_is_affected_while_nothing_is_legacy(loose: OpenSchema) -> None:
    gallery = Gallery(NOW, people=TWO_PEOPLE, pieces=OLD_AND_YOUNG[1:], views=((0, 1), (1, None)))
    async with loose.holding(gallery) as connection:
        census = await take_census(connection, loose.catalogue, POOLS, BORDERS)
        affected = await count_affected_users(connection, loose.catalogue, POOLS, BORDERS, census)
    assert (census.audience, affected.affected, affected.clear) == (2, 0, 2)
    assert census.oldest_legacy_created is None


async def test_an_empty_gallery_has_no_pairs_in_any_form(app: OpenSchema) -> None:
    async with app.holding(Gallery(NOW)) as connection:
        for form in app.schema.forms:
            census = await counted(app, connection, form)
            assert (census.pairs, census.legacy_share, census.users) == (0, 0.0, 0)
