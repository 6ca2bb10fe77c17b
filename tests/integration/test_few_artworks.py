"""What follows a census looks only at the artworks that it found incomplete, and finds the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks import census as counting
from checks.census import (
    Census,
    Few,
    affected_users,
    count_affected_users,
    count_incomplete,
    exact_forms,
    incomplete_few,
    parameters,
    take_census,
)
from checks.citus.forms import on_citus
from checks.fragments import few_artworks, fragments
from checks.spec import Cutoffs, PoolsSpec
from monitor.database import database_now, snapshot
from monitor.healing.executor import Progress
from monitor.healing.planner import Occasion
from monitor.runtime import Runtime
from monitor.state.runs import RunState, Trigger
from tests.integration.test_census import assert_equal
from tests.support.app import conninfo
from tests.support.builders import a_census
from tests.support.databases import EMPTY, cloned
from tests.support.galleries import galleries
from tests.support.generated import examples
from tests.support.healed_catalogues import heal_among_writers, heal_and_undo, make_tables
from tests.support.healing import claimed, heal, make_runtime, plan, planted, working
from tests.support.open_schema import OpenSchema, open_schema, run
from tests.support.oracle import ExpectedCensus, expected_census
from tests.support.paired_schemas import in_every_schema
from tests.support.postgres import PostgresServer
from tests.support.schema_matrix import APP

pytestmark = pytest.mark.prepared

HEALED = 12
POOLS = PoolsSpec()
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@pytest.fixture(params=[0, 100], ids=["looked up", "in one pass"])
def always(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """However small the tables are, looking at the incomplete artworks alone is cheaper."""
    monkeypatch.setattr(counting, "PROBE_COST", request.param)
    monkeypatch.setattr(counting, "PASS_SHARE", 0)


@pytest.fixture(scope="module")
def tables_url(server: PostgresServer) -> Iterator[str]:
    """A database with the tables of random configurations."""
    with cloned(server, EMPTY) as made:
        make_tables(made)
        yield made


@pytest.mark.usefixtures("always")
async def test_runs_over_few_artworks_write_and_take_back_what_all_others_do(
    tables_url: str,
) -> None:
    assert sum([await heal_and_undo(tables_url, seed) for seed in range(HEALED)]) > HEALED
    assert sum([await heal_among_writers(tables_url, seed) for seed in range(3)]) > 0


def legacy_of(expected: ExpectedCensus) -> set[tuple[str, str]]:
    """The legacy pairs of the audience."""
    return {
        pair
        for pair, state in expected.states.items()
        if state == "legacy_untracked" and expected.by_user[pair[0]][0]
    }


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
        for form in exact_forms(catalogue, pools):
            census = await take_census(*asked, verified_until=gallery.verified_until, form=form)
            assert census.incomplete is not None
            assert sorted(census.incomplete) == sorted({artwork for _, artwork in legacy})
        for chosen, one_pass in product((some, sorted(census.incomplete or ())), (True, False)):
            few = Few(tuple(chosen), one_pass=one_pass)
            theirs = [pair for pair in legacy if pair[1] in chosen]
            again = await count_incomplete(
                connection, catalogue, pools, census, few, verified_until=gallery.verified_until
            )
            assert again is not None
            assert again.legacy_untracked == len(theirs)
            assert set(again.incomplete or ()) == {artwork for _, artwork in theirs}
            assert again.pairs == census.pairs
            names = few_artworks(catalogue, fragments(catalogue, pools), one_pass=one_pass)
            statement = affected_users(catalogue, names).as_string(None)
            rows = await connection.exec_driver_sql(
                f"SELECT x.user_id::text, x.legacy FROM ({statement}) AS x",
                parameters(cutoffs, few=few),
            )
            found = {row.user_id: int(row.legacy) for row in rows}
            assert found == Counter(user for user, _ in theirs)
        assert again is not None
        assert (again.appeared, again.legacy_artworks) == (
            census.appeared,
            census.legacy_artworks,
        )
        assert again.oldest_legacy_created == census.oldest_legacy_created


@examples(25)
@given(data=st.data())
async def test_whatever_was_complete_before_the_total_says_the_same(
    shared_url: str, data: st.DataObject
) -> None:
    async with open_schema(shared_url, APP) as opened:
        gallery = data.draw(galleries(opened.schema))
        expected = expected_census(gallery, opened.schema)
        cutoffs = Cutoffs.at(gallery.now, gallery.pools)
        moments = [gallery.now - gallery.pools.legacy_after, gallery.now, gallery.verified_until]
        moments += [gallery.now - 2 * gallery.pools.legacy_after]
        async with opened.holding(gallery) as connection:
            for complete_until in moments:
                census = await take_census(
                    connection,
                    opened.catalogue,
                    gallery.pools,
                    cutoffs,
                    verified_until=gallery.verified_until,
                    complete_until=complete_until,
                )
                assert_equal(census, expected)
                assert set(census.incomplete or ()) == {a for _, a in legacy_of(expected)}


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
        named = [await take_census(*asked, complete_until=until) for until in (None, LONG_AGO)]
        assert [len(census.incomplete or ()) for census in named] == [many, many]
        await run(opened.connection, "DELETE FROM user_art_impressions WHERE artwork_id = 'a0'")
        await run(
            opened.connection,
            "INSERT INTO art_sessions (id, session_id, image_url) VALUES ('young', 's', '/');"
            "INSERT INTO user_art_impressions (user_id, artwork_id) VALUES ('u', 'young')",
        )
        for until in (None, LONG_AGO):
            census = await take_census(*asked, complete_until=until)
            assert (census.incomplete, census.legacy_artworks) == (None, many + 1)
            assert (await count_affected_users(*asked, census)).affected == 1
        await transaction.rollback()


async def test_few_are_looked_at_alone_where_that_is_cheaper(shared_url: str) -> None:
    async with open_schema(shared_url, APP) as opened:
        app_catalogue = opened.catalogue
    census = a_census(tracked=1_000_000, audience=100, incomplete=("a", "b"))
    assert incomplete_few(census, app_catalogue) == Few(("a", "b"), one_pass=False)
    busier = replace(census, audience=10_000)
    assert incomplete_few(busier, app_catalogue) == Few(("a", "b"), one_pass=True)
    for census_of_more in (
        replace(census, tracked=100),
        replace(census, audience=300_000),
        replace(census, incomplete=None),
        replace(census, incomplete=tuple(map(str, range(1000))), tracked=190_000),
    ):
        assert incomplete_few(census_of_more, app_catalogue) is None
    assert incomplete_few(census, on_citus(app_catalogue)) is None


async def census_of(runtime: Runtime) -> Census:
    """Of everything, now."""
    async with snapshot(runtime.engine, timeout=timedelta(seconds=30)) as connection:
        pools = runtime.settings.pools_spec()
        cutoffs = Cutoffs.at(await database_now(connection), pools)
        return await take_census(connection, runtime.catalogue, pools, cutoffs)


@pytest.mark.usefixtures("always")
async def test_a_plan_that_follows_a_census_is_about_its_artworks_by_its_cutoff(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=3, artworks=4) as (app, runtime):
        assert (await heal(runtime)).run.state is RunState.SUCCEEDED
        await app.run("DELETE FROM user_art_impressions WHERE artwork_id = 'old0001'")
        found = await census_of(runtime)
        cutoffs = Cutoffs.at(found.as_of, runtime.settings.pools_spec())
        assert (found.incomplete, found.legacy_untracked) == (("old0001",), 3)
        # Seen meanwhile; lost elsewhere; grown old.
        await app.run(
            "INSERT INTO user_art_impressions (user_id, artwork_id) VALUES ('u0001', 'old0001')"
        )
        await app.run("DELETE FROM user_art_impressions WHERE artwork_id = 'old0002'")
        await app.run(
            "UPDATE art_sessions SET created_at = now() - interval '7 days' WHERE id = 'stored0001'"
        )
        planned = await runtime.plan_audience(
            Trigger.SCHEDULE, reason="a test", max_rows=100, occasion=Occasion(found, 0)
        )
        assert planned.run is not None
        assert planned.census.legacy_untracked == planned.run.planned_rows == 2
        assert planned.run.artworks == ("old0001",)
        assert planned.run.legacy_until == cutoffs.legacy_until
        ended = await runtime.executor(lambda _: None).work(planned.run)
        written = await app.rows(
            "SELECT user_id, artwork_id FROM conservator.backfilled_impression"
            " WHERE run_id = %(run)s ORDER BY 1",
            run=planned.run.id,
        )
        # What planned users lost elsewhere is behind the cutoff: such a run verifies nothing.
        assert written == [("u0002", "old0001"), ("u0003", "old0001")]
        assert (ended.run.state, ended.run.remaining) == (RunState.PARTIAL, 2)
        assert await app.value("SELECT artworks IS NULL FROM conservator.run WHERE id = 2")
        assert (await heal(runtime)).run.inserted == 3 + 3
        found = replace(found, incomplete=("old0001",), legacy_untracked=3)
        again = await runtime.plan_audience(
            Trigger.SCHEDULE, reason="a test", max_rows=100, occasion=Occasion(found, 0)
        )
        assert (again.run, again.census.legacy_untracked) == (None, 0)


@pytest.mark.usefixtures("always")
async def test_who_joins_between_a_census_and_its_plan_is_planned_for(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=3, artworks=4) as (app, runtime):
        assert (await heal(runtime)).run.inserted == 12
        await app.run("DELETE FROM user_art_impressions WHERE artwork_id = 'old0001'")
        found = await census_of(runtime)
        assert found.incomplete == ("old0001",)
        await app.run(
            "INSERT INTO user_art_impressions (user_id, artwork_id)"
            " SELECT id, 'seen0001' FROM users WHERE id NOT IN ('u0001', 'u0002', 'u0003')"
        )
        planned = await runtime.plan_audience(
            Trigger.SCHEDULE, reason="a test", max_rows=100, occasion=Occasion(found, 0)
        )
        assert planned.run is not None
        assert planned.census.legacy_untracked == planned.run.planned_rows == 3 + 4
        ended = await working(runtime, planned.run)
        assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 3 + 4)
        again = await census_of(runtime)
        assert again.legacy_untracked == 0


async def test_a_plan_is_about_what_it_counted_though_few_are_dear_by_then(
    app_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own count never changes which artworks its list is made of."""
    monkeypatch.setattr(counting, "PASS_SHARE", 0)
    async with planted(app_database_url, users=3, artworks=4) as (app, runtime):
        await heal(runtime)
        await app.run("DELETE FROM user_art_impressions WHERE artwork_id = 'old0001'")
        found = await census_of(runtime)
        assert incomplete_few(found, runtime.catalogue) is not None
        await app.run("DELETE FROM user_art_impressions WHERE artwork_id = 'old0002'")

        async def count_and_grow_dear(*asked: Any, **settings: Any) -> Census | None:
            counted = await count_incomplete(*asked, **settings)
            monkeypatch.setattr(counting, "PASS_SHARE", 10**9)
            return counted

        monkeypatch.setattr("monitor.healing.planner.count_incomplete", count_and_grow_dear)
        planned = await runtime.plan_audience(
            Trigger.SCHEDULE, reason="a test", max_rows=4, occasion=Occasion(found, 0)
        )
        assert incomplete_few(planned.census, runtime.catalogue) is None
        assert planned.run is not None
        assert planned.census.legacy_untracked == planned.run.planned_rows == 3


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
