"""Who is affected, from two totals a user: the same as pair by pair, where that is proved."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncConnection

from checks import affected as affecting
from checks import census as counting
from checks.affected import (
    affected_by_total,
    affected_users_by_total,
    count_affected_users,
    totals_are_exact,
)
from checks.catalogue import read_catalogue
from checks.census import exact_forms, parameters, take_census
from checks.citus.forms import on_citus
from checks.fragments import fragments
from checks.relations import Catalogue, Index
from checks.spec import ArtworksSpec, Audience, CatalogueSpec, Cutoffs, PoolsSpec
from tests.support.builders import a_census
from tests.support.galleries import Gallery, Person, Piece, galleries, micros
from tests.support.generated import examples
from tests.support.open_schema import OpenSchema, connected, open_schema, run
from tests.support.oracle import expected_census, legacy_of
from tests.support.paired_schemas import in_every_schema
from tests.support.schema_matrix import APP

POOLS = PoolsSpec()
LARGE = a_census(tracked=1_000_000, young_tracked=100_000, audience=2_000, incomplete=None)
OTHER_TYPES = """
CREATE DOMAIN artwork_id AS bigint CHECK (value > 0);
CREATE TABLE users (id bigint PRIMARY KEY);
CREATE TABLE art_sessions (id artwork_id PRIMARY KEY, created_at timestamptz NOT NULL);
CREATE TABLE user_art_impressions (
    user_id int NOT NULL REFERENCES users, artwork_id int NOT NULL REFERENCES art_sessions,
    viewed_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (user_id, artwork_id)
);
CREATE INDEX ON user_art_impressions (artwork_id);
INSERT INTO users VALUES (1), (2), (3000000000);
INSERT INTO art_sessions VALUES (1, now() - interval '30 days'), (2, now() - interval '30 days'),
    (3, now()), (3000000000, now());
INSERT INTO user_art_impressions VALUES (1, 1), (1, 2), (1, 3), (2, 1), (2, 3);
"""


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """However small the tables are, totals are cheaper than anything else."""
    monkeypatch.setattr(affecting, "incomplete_few", lambda *_: None)
    monkeypatch.setattr(affecting, "PAGES_SHARE", 0)
    monkeypatch.setattr(affecting, "COVERED_SHARE", 0)


async def _found(
    connection: AsyncConnection,
    catalogue: Catalogue,
    pools: PoolsSpec,
    cutoffs: Cutoffs,
    probed: bool,
    halves: int,
    each: list[int],
) -> list[tuple[str, int]]:
    """Who misses how many, with users probed or grouped, of everybody or of each half of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "_probing_pays", lambda *_: probed)
        text = affected_users_by_total(catalogue, fragments(catalogue, pools)).as_string(None)
    found: list[tuple[str, int]] = []
    for half in each:
        asked = {**parameters(cutoffs), "halves": halves, "half": half}
        rows = await connection.exec_driver_sql(text, asked)
        found += [(str(row.user_id), int(row.legacy)) for row in rows]
    return found


@in_every_schema
@pytest.mark.usefixtures("always")
@examples(25)
@given(data=st.data())
async def test_totals_say_who_is_affected_where_they_are_proved_and_are_not_asked_elsewhere(
    opened: OpenSchema, data: st.DataObject
) -> None:
    catalogue = opened.catalogue
    if not totals_are_exact(catalogue, POOLS):
        assert not affected_by_total(LARGE, catalogue, POOLS)
        return
    gallery = data.draw(galleries(opened.schema))
    pools, cutoffs = gallery.pools, Cutoffs.at(gallery.now, gallery.pools)
    expected = expected_census(gallery, opened.schema)
    async with opened.holding(gallery) as connection:
        for halves in ((False, 0, [0]), (True, 0, [0]), (True, 1, [0, 1])):
            found = await _found(connection, catalogue, pools, cutoffs, *halves)
            assert sorted(found) == sorted(Counter(user for user, _ in legacy_of(expected)).items())
        census = await take_census(connection, catalogue, pools, cutoffs)
        indexed = catalogue.impressions.index_leading_with(catalogue.spec.impressions.user)
        cheap = indexed is not None and pools.legacy_created_before is None
        assert affected_by_total(census, catalogue, pools) is cheap
        users = await count_affected_users(connection, catalogue, pools, cutoffs, census)
        assert users.affected == expected.affected


@pytest.mark.parametrize(
    ("change", "artworks", "pools", "exact"),
    [
        ("SELECT", ArtworksSpec(), POOLS, True),
        ("ALTER TABLE art_sessions ALTER created_at DROP NOT NULL", ArtworksSpec(), POOLS, False),
        (
            "ALTER TABLE user_art_impressions DROP CONSTRAINT user_art_impressions_artwork_id_fkey",
            ArtworksSpec(),
            POOLS,
            False,
        ),
        ("DROP INDEX user_art_impressions_artwork_id_idx", ArtworksSpec(), POOLS, False),
        ("SELECT", ArtworksSpec(where="pool_status = 'active'"), POOLS, False),
        ("SELECT", ArtworksSpec(), replace(POOLS, legacy_created_before=a_census().as_of), False),
    ],
)
async def test_totals_prove_nothing_where_an_impression_may_not_count(
    shared_url: str, change: str, artworks: ArtworksSpec, pools: PoolsSpec, exact: bool
) -> None:
    async with open_schema(shared_url, APP) as opened, opened.connection.begin() as transaction:
        await run(opened.connection, change)
        spec = CatalogueSpec(artworks=artworks)
        catalogue = (await read_catalogue(opened.connection, spec)).require()
        await transaction.rollback()
    assert totals_are_exact(catalogue, pools) is exact
    assert affected_by_total(LARGE, catalogue, pools) is exact


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize(("audience", "affected"), [(Audience.ALL, 2), (Audience.TRACKED, 1)])
async def test_ids_that_the_impressions_can_not_hold_have_none(
    shared_url: str, audience: Audience, affected: int
) -> None:
    pools = replace(POOLS, audience=audience)
    async with connected(shared_url, "other types", OTHER_TYPES) as connection, connection.begin():
        catalogue = (await read_catalogue(connection, CatalogueSpec())).require()
        now = (await connection.exec_driver_sql("SELECT now()")).scalar_one()
        asked = (connection, catalogue, pools, Cutoffs.at(now, pools))
        for form in exact_forms(catalogue):
            census = await take_census(*asked, form=form)
            assert (census.young_tracked, census.tracked) == (2, 5)
        assert affected_by_total(census, catalogue, pools)
        assert (await count_affected_users(*asked, census)).affected == affected


async def test_the_pages_that_are_visited_fit_in_memory_for_this_statement_alone(
    shared_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(affecting, "incomplete_few", lambda *_: None)
    during: list[str] = []

    async def look(statement: str, values: object, half: object, on: AsyncConnection) -> object:
        found = await on.exec_driver_sql("SHOW work_mem")
        during.append(found.scalar_one())
        return {"affected": 1, "legacy": LARGE.legacy_untracked, "named": None}

    monkeypatch.setattr(affecting, "counted", look)
    async with open_schema(shared_url, APP) as opened:
        impressions = replace(opened.catalogue.impressions, row_bytes=8192 * 100_000)
        catalogue = replace(opened.catalogue, impressions=impressions)
        asked = (opened.connection, catalogue, POOLS, Cutoffs.at(a_census().as_of, POOLS))
        async with opened.connection.begin():
            census = replace(LARGE, tracked=10_000_000, young_tracked=1_000_000)
            await count_affected_users(*asked, census)
            assert during == [f"{150_001 * 64 // 1024 + 1}kB"]
            assert (await opened.connection.exec_driver_sql("SHOW work_mem")).scalar_one() == "4MB"


async def test_the_pages_that_hold_rows_are_counted_and_no_index_with_them(
    opened: OpenSchema,
) -> None:
    oid = opened.catalogue.impressions.beneath.oid
    tables = f"SELECT {oid}::regclass UNION SELECT relid FROM pg_partition_tree({oid})"
    sizes = (
        "SELECT sum(pg_relation_size(t.id)) AS rows, sum(pg_indexes_size(t.id)) AS indexes"
        f" FROM ({tables}) AS t (id)"
    )
    now = a_census().as_of
    person, piece = Person(0, micros(now)), Piece(0, micros(now), owner=0)
    gallery = Gallery(now, people=(person,), pieces=(piece,), views=((0, 0),))
    async with opened.holding(gallery) as connection:
        held = (await connection.exec_driver_sql(sizes)).one()
        read = (await read_catalogue(connection, opened.schema.spec)).require().impressions
    assert read.row_bytes == held.rows > 0
    assert read.total_bytes >= held.rows + held.indexes


async def test_totals_are_asked_where_indexes_and_numbers_make_them_cheaper(
    shared_url: str,
) -> None:
    async with open_schema(shared_url, APP) as opened:
        app = opened.catalogue
    assert affected_by_total(LARGE, app, POOLS)
    many = replace(LARGE, young_tracked=200_000)
    for census in (many, replace(LARGE, young_tracked=None)):
        assert not affected_by_total(census, app, POOLS)
    assert not affected_by_total(LARGE, on_citus(app), POOLS)
    huge = replace(app, impressions=replace(app.impressions, row_bytes=2**40))
    wide = replace(LARGE, tracked=10**9, young_tracked=10**8)
    assert affected_by_total(wide, app, POOLS)
    assert not affected_by_total(wide, huge, POOLS)
    covered = with_indexes(huge, ("artwork_id", "user_id"))
    assert affected_by_total(wide, covered, POOLS)
    assert affected_by_total(many, covered, POOLS)
    assert not affected_by_total(replace(many, young_tracked=600_000), covered, POOLS)
    by_artwork = tuple(one for one in app.impressions.indexes if one.columns[0] != "user_id")
    pair = next(one for one in app.impressions.indexes if one.unique and not one.primary)
    turned = replace(pair, columns=("artwork_id", "user_id"))
    lacking = replace(app, impressions=replace(app.impressions, indexes=(*by_artwork, turned)))
    assert totals_are_exact(lacking, POOLS)
    assert not affected_by_total(LARGE, lacking, POOLS)
    told = app.spec.impressions
    for some in (replace(told, where="version = 1"), replace(told, counts="version = 1")):
        filtered = replace(app, spec=replace(app.spec, impressions=some), proven=app.arbiter)
        assert not affected_by_total(LARGE, filtered, POOLS)


def with_indexes(catalogue: Catalogue, *more: tuple[str, ...]) -> Catalogue:
    """With one more index on each of these columns."""
    made = tuple(
        Index("_".join(columns), columns, (), "btree", False, False, True, False, True)
        for columns in more
    )
    impressions = catalogue.impressions
    return replace(
        catalogue, impressions=replace(impressions, indexes=(*impressions.indexes, *made))
    )
