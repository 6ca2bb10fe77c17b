"""What follows a census looks only at the artworks that it found incomplete, and finds the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks import census as counting
from checks.affected import affected_users, count_affected_users
from checks.census import Few, exact_forms, incomplete_few, parameters, take_census
from checks.citus.forms import on_citus
from checks.fragments import few_artworks, fragments
from checks.page_visits import BITMAP_ENTRY, GROWTH, PAGE, visiting_pages
from checks.spec import Cutoffs, PoolsSpec
from monitor.healing.executor import Progress
from monitor.state.runs import RunState
from tests.support.app import conninfo
from tests.support.builders import a_census
from tests.support.databases import EMPTY, cloned
from tests.support.galleries import galleries
from tests.support.generated import examples
from tests.support.healed_catalogues import heal_and_undo, make_tables
from tests.support.healing import claimed, make_runtime, plan, planted
from tests.support.open_schema import OpenSchema, open_schema, run
from tests.support.oracle import expected_census, legacy_of
from tests.support.paired_schemas import in_every_schema
from tests.support.postgres import PostgresServer
from tests.support.readings import READINGS, read_few
from tests.support.schema_matrix import APP

pytestmark = pytest.mark.prepared

HEALED = 12
POOLS = PoolsSpec()
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@pytest.fixture(params=READINGS, ids=lambda one: one.name)
def always(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """However small the tables are, looking at the incomplete artworks alone is cheaper."""
    read_few(monkeypatch, request.param)


@pytest.fixture(scope="module")
def tables_url(server: PostgresServer) -> Iterator[str]:
    """A database with the tables of random configurations."""
    with cloned(server, EMPTY) as made:
        make_tables(made)
        yield made


@pytest.mark.usefixtures("always")
@pytest.mark.long
async def test_runs_over_few_artworks_write_and_take_back_what_all_others_do(
    tables_url: str,
) -> None:
    assert sum([await heal_and_undo(tables_url, seed) for seed in range(HEALED)]) > HEALED


@in_every_schema
@examples(6)
@given(data=st.data())
async def test_a_census_names_the_artworks_that_are_incomplete_and_a_count_of_some_is_theirs(
    opened: OpenSchema, data: st.DataObject
) -> None:
    schema, catalogue = opened.schema, opened.catalogue
    gallery = data.draw(galleries(schema))
    expected = expected_census(gallery, schema)
    legacy = legacy_of(expected)
    pools, cutoffs = gallery.pools, Cutoffs.at(gallery.now, gallery.pools)
    artworks = sorted({artwork for _, artwork in expected.states})
    some = data.draw(st.lists(st.sampled_from(artworks), unique=True)) if artworks else []
    async with opened.holding(gallery) as connection:
        asked = (connection, catalogue, pools, cutoffs)
        for form in exact_forms(catalogue):
            census = await take_census(*asked, verified_until=gallery.verified_until, form=form)
            assert census.incomplete is not None
            assert sorted(census.incomplete) == sorted({artwork for _, artwork in legacy})
        for chosen, one_pass in product((some, sorted(census.incomplete or ())), (True, False)):
            few = Few(tuple(chosen), one_pass=one_pass)
            theirs = [pair for pair in legacy if pair[1] in chosen]
            names = few_artworks(catalogue, fragments(catalogue, pools), one_pass=one_pass)
            statement = affected_users(catalogue, names).as_string(None)
            rows = await connection.exec_driver_sql(
                f"SELECT x.user_id::text, x.legacy FROM ({statement}) AS x",
                parameters(cutoffs, few=few),
            )
            found = {row.user_id: int(row.legacy) for row in rows}
            assert found == Counter(user for user, _ in theirs)


async def test_more_incomplete_artworks_than_a_census_names_are_none_known(
    shared_url: str,
) -> None:
    many = counting.MOST_INCOMPLETE
    async with open_schema(shared_url, APP) as opened, opened.connection.begin() as transaction:
        await run(
            opened.connection,
            "INSERT INTO users (id) VALUES ('u');"
            "INSERT INTO art_sessions (id, session_id, image_url, created_at)"
            " SELECT 'a' || n, 's', '/', now() - interval '30 days'"
            f" FROM generate_series(0, {many}) AS n;"
            "INSERT INTO user_art_impressions (user_id, artwork_id) VALUES ('u', 'a0')",
        )
        now = (await opened.connection.exec_driver_sql("SELECT now()")).scalar_one()
        asked = (opened.connection, opened.catalogue, POOLS, Cutoffs.at(now, POOLS))
        forms = exact_forms(opened.catalogue)
        named = [await take_census(*asked, form=form) for form in forms]
        assert [len(census.incomplete or ()) for census in named] == [many] * len(forms)
        await run(opened.connection, "DELETE FROM user_art_impressions WHERE artwork_id = 'a0'")
        await run(
            opened.connection,
            "INSERT INTO art_sessions (id, session_id, image_url) VALUES ('young', 's', '/');"
            "INSERT INTO user_art_impressions (user_id, artwork_id) VALUES ('u', 'young')",
        )
        for form in forms:
            census = await take_census(*asked, form=form)
            assert (census.incomplete, census.legacy_artworks) == (None, many + 1)
            assert (await count_affected_users(*asked, census)).affected == 1
        await transaction.rollback()


async def test_few_are_looked_at_alone_where_that_is_cheaper(shared_url: str) -> None:
    async with open_schema(shared_url, APP) as opened:
        app_catalogue = opened.catalogue
    census = a_census(tracked=1_000_000, audience=100, incomplete=("a", "b"))
    assert incomplete_few(census, app_catalogue) == Few(("a", "b"), one_pass=False)
    busier = replace(census, audience=10_000)
    entry = BITMAP_ENTRY * (int(app_catalogue.impressions.row_bytes * GROWTH) // PAGE + 1)
    by_pages = Few(("a", "b"), one_pass=True, page_bytes=entry)
    assert incomplete_few(busier, app_catalogue) == by_pages
    in_one_pass = Few(("a", "b"), one_pass=True)
    assert incomplete_few(replace(census, audience=100_000), app_catalogue) == in_one_pass
    impressions = replace(app_catalogue.impressions, row_bytes=PAGE * 2**30)
    wide = replace(app_catalogue, impressions=impressions)
    millions = replace(census, audience=2_000_000, tracked=10**8)
    assert incomplete_few(millions, wide) == in_one_pass
    unindexed = tuple(one for one in impressions.indexes if one.columns[0] != "artwork_id")
    bare = replace(app_catalogue, impressions=replace(impressions, indexes=unindexed))
    assert incomplete_few(busier, bare) == in_one_pass
    for census_of_more in (
        replace(census, tracked=100),
        replace(census, audience=300_000),
        replace(census, incomplete=None),
        replace(census, incomplete=tuple(map(str, range(1000))), tracked=190_000),
    ):
        assert incomplete_few(census_of_more, app_catalogue) is None
    assert incomplete_few(census, on_citus(app_catalogue)) is None


SETTINGS = """
SELECT name || ' = ' || setting FROM pg_settings
WHERE name = ANY (ARRAY[
    'random_page_cost', 'enable_sort', 'max_parallel_workers_per_gather', 'work_mem'
]) ORDER BY name
"""


async def test_pages_are_visited_in_the_context_and_what_was_set_before_comes_back(
    shared_url: str,
) -> None:
    async with open_schema(shared_url, APP) as opened, opened.connection.begin():
        connection = opened.connection

        async def settings() -> list[str]:
            return [row[0] for row in await connection.exec_driver_sql(SETTINGS)]

        await run(connection, "SET LOCAL random_page_cost = 3")
        before = await settings()
        for memory, kept in ((2**20, "4096"), (2**24, str(2**14 + 1))):
            async with visiting_pages(connection, memory):
                assert await settings() == [
                    "enable_sort = off",
                    "max_parallel_workers_per_gather = 0",
                    "random_page_cost = 1",
                    f"work_mem = {kept}",
                ]
            assert await settings() == before


async def test_what_vanishes_of_a_plan_is_seen_where_it_is_too_young_to_be_legacy_by_now(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=3, artworks=4) as (app, runtime):
        planned = await plan(runtime)
        await app.run("UPDATE conservator.run SET lease_until = now()")

        def lose(_: Progress) -> None:
            with psycopg.connect(conninfo(app_database_url), autocommit=True) as connection:
                connection.execute(
                    "DELETE FROM user_art_impressions"
                    " WHERE (user_id, artwork_id) = ('u0001', 'old0001')"
                )

        async with make_runtime(app_database_url, pools={"legacy_after": "60d"}) as later:
            taken = await claimed(later, planned.id)
            ended = await later.executor(lose).work(taken)
        assert (ended.run.inserted, ended.run.remaining) == (12, 1)
        assert ended.run.state is RunState.PARTIAL
        assert await app.value("SELECT verified_until IS NULL FROM conservator.control")
