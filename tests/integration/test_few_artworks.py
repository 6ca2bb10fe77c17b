"""What follows a census looks only at the artworks that it found incomplete, and finds the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncConnection

from checks import census as counting
from checks.census import (
    Census,
    Few,
    affected_users,
    count_affected_users,
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
from monitor.healing.missing import MissingPair, MissingPairs, list_missing, still_missing
from monitor.healing.planner import Occasion, Planned, count_recurring
from monitor.healing.quarantine import count_unwritable
from monitor.healing.statements import HealingStatements
from monitor.runtime import Runtime
from monitor.state.control import Control, read_control
from monitor.state.runs import RunState, Trigger
from monitor.state.statements import StateStatements
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
            names = few_artworks(catalogue, fragments(catalogue, pools), one_pass=one_pass)
            statement = affected_users(catalogue, names).as_string(None)
            rows = await connection.exec_driver_sql(
                f"SELECT x.user_id::text, x.legacy FROM ({statement}) AS x",
                parameters(cutoffs, few=few),
            )
            found = {row.user_id: int(row.legacy) for row in rows}
            assert found == Counter(user for user, _ in theirs)


STATE = """
CREATE SCHEMA listing;
CREATE TABLE listing.quarantine (
    user_id {user}, artwork_id {artwork}, retry_at timestamptz, PRIMARY KEY (user_id, artwork_id)
);
CREATE TABLE listing.tally_user (
    user_id {user}, taken_at timestamptz, impressions bigint, PRIMARY KEY (user_id, taken_at)
)
"""
PUT_ASIDE = """
INSERT INTO listing.quarantine SELECT u::{user}, a::{artwork}, r
FROM unnest(%(users)s::text[], %(artworks)s::text[], %(moments)s::timestamptz[]) AS q (u, a, r)
"""
TALLY = """
INSERT INTO listing.tally_user SELECT u::{user}, t, n
FROM unnest(%(users)s::text[], %(moments)s::timestamptz[], %(numbers)s::bigint[]) AS t (u, t, n)
"""


async def keep_of_ours(
    connection: AsyncConnection,
    statements: HealingStatements,
    expected: ExpectedCensus,
    data: st.DataObject,
    now: datetime,
) -> None:
    """Random pairs in quarantine, legacy or not, and random tallies of users."""
    names = statements.fragments
    types = {
        "user": names["user_cast"].as_string(None),
        "artwork": names["artwork_cast"].as_string(None),
    }
    moments = st.sampled_from([now - timedelta(days=1), now, now + timedelta(days=1)])
    for statement in STATE.format(**types).split(";"):
        await run(connection, statement)
    pairs = sorted(expected.states)
    aside = data.draw(st.dictionaries(st.sampled_from(pairs), moments)) if pairs else {}
    await connection.exec_driver_sql(
        PUT_ASIDE.format(**types),
        {
            "users": [user for user, _ in aside],
            "artworks": [artwork for _, artwork in aside],
            "moments": list(aside.values()),
        },
    )
    users = sorted(expected.by_user)
    keys = st.tuples(st.sampled_from(users), moments) if users else st.nothing()
    tallied = data.draw(st.dictionaries(keys, st.sampled_from([None, 0, 3]))) if users else {}
    tallied |= {
        (user, now - timedelta(days=2)): data.draw(st.sampled_from([3, 0])) for user in users
    }
    await connection.exec_driver_sql(
        TALLY.format(**types),
        {
            "users": [user for user, _ in tallied],
            "moments": [moment for _, moment in tallied],
            "numbers": list(tallied.values()),
        },
    )


@in_every_schema
@examples(6)
@given(data=st.data())
async def test_a_list_of_what_is_missing_says_all_that_is_counted_else(
    opened: OpenSchema, data: st.DataObject
) -> None:
    gallery = data.draw(galleries(opened.schema))
    expected = expected_census(gallery, opened.schema)
    pools, cutoffs = gallery.pools, Cutoffs.at(gallery.now, gallery.pools)
    statements = HealingStatements(StateStatements(opened.catalogue, pools, "listing"))
    verified_at = data.draw(st.sampled_from([gallery.now, gallery.now - timedelta(hours=1), None]))
    control = Control(verified_until=gallery.verified_until, verified_at=verified_at)
    async with opened.holding(gallery) as connection:
        await keep_of_ours(connection, statements, expected, data, gallery.now)
        census = await take_census(
            connection, opened.catalogue, pools, cutoffs, verified_until=gallery.verified_until
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(counting, "PASS_SHARE", 0)
            patch.setattr(counting, "PROBE_COST", data.draw(st.sampled_from([0, 100])))
            listed = await list_missing(connection, statements, census, control, gallery.now)
        assert listed is not None
        assert {(one.user_id, one.artwork_id) for one in listed.pairs} == legacy_of(expected)
        assert same(listed.census) == same(census)
        assert (
            listed.unwritable.pairs
            == (await count_unwritable(connection, statements, cutoffs)).pairs
        )
        assert listed.recurring == await count_recurring(connection, statements, cutoffs, control)
        most = data.draw(st.integers(1, 6))
        work = {"due_until": gallery.now, "run_id": 1, "max_rows": most}
        walk = await statements.run(connection, "plan_walk", {**parameters(cutoffs), **work})
        assert [(one.user_id, one.found, one.planned) for one in listed.work(most)] == [
            (row.user_id, row.found, row.planned) for row in walk
        ]
        # Whatever pairs a list names: those that are missing are looked up, and no others.
        some = (
            data.draw(st.lists(st.sampled_from(sorted(expected.states)), unique=True))
            if expected.states
            else []
        )
        named = tuple(MissingPair(*pair, 0.0, False, False, False, False) for pair in some)
        still = await still_missing(
            connection, statements, MissingPairs(census, named), control, gallery.now
        )
        assert still is not None
        assert set(still.pairs) == {
            one for one in listed.pairs if (one.user_id, one.artwork_id) in some
        }


def same(census: Census) -> Census:
    """Without what is no count."""
    named = None if census.incomplete is None else tuple(sorted(census.incomplete))
    return replace(census, incomplete=named, duration_seconds=0.0)


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


async def listing(runtime: Runtime) -> Occasion:
    """What a pass of the loop makes of a census now."""
    found = await census_of(runtime)
    async with snapshot(runtime.engine, timeout=timedelta(seconds=30)) as connection:
        control = await read_control(connection, runtime.state)
        listed = await list_missing(connection, runtime.healing, found, control, found.as_of)
    return Occasion(0, listed)


async def planned_for(runtime: Runtime, occasion: Occasion) -> Planned:
    return await runtime.plan_audience(
        Trigger.SCHEDULE, reason="a test", max_rows=100, occasion=occasion
    )


@pytest.mark.usefixtures("always")
async def test_a_plan_that_follows_a_census_is_about_its_artworks_by_its_cutoff(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=3, artworks=4) as (app, runtime):
        assert (await heal(runtime)).run.state is RunState.SUCCEEDED
        await app.run("DELETE FROM user_art_impressions WHERE artwork_id = 'old0001'")
        occasion = await listing(runtime)
        assert occasion.missing is not None
        found = occasion.missing.found
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
        planned = await planned_for(runtime, occasion)
        assert planned.run is not None
        assert planned.census.legacy_untracked == planned.run.planned_rows == 2
        assert planned.census.pairs == found.pairs
        assert (planned.run.artworks, planned.run.recurring) == (("old0001",), 0)
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
        again = await planned_for(runtime, occasion)
        assert (again.run, again.census.legacy_untracked) == (None, 0)


@pytest.mark.usefixtures("always")
async def test_who_joins_between_a_census_and_its_plan_is_planned_for_and_who_leaves_is_not(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=3, artworks=4) as (app, runtime):
        assert (await heal(runtime)).run.inserted == 12
        await app.run("DELETE FROM user_art_impressions WHERE artwork_id = 'old0001'")
        occasion = await listing(runtime)
        assert occasion.missing is not None
        assert [one.user_id for one in occasion.missing.work(2)] == ["u0001", "u0002"]
        await app.run("DELETE FROM user_art_impressions WHERE user_id = 'u0001'")
        left = await planned_for(runtime, occasion)
        assert left.run is not None
        assert left.census.legacy_untracked == left.run.planned_rows == 2
        assert left.census.pairs < occasion.missing.found.pairs
        assert (await working(runtime, left.run)).run.inserted == 2
        await app.run("DELETE FROM user_art_impressions WHERE artwork_id = 'old0001'")
        occasion = await listing(runtime)
        await app.run(
            "INSERT INTO user_art_impressions (user_id, artwork_id) VALUES ('u0001', 'seen0001')"
        )
        planned = await planned_for(runtime, occasion)
        assert planned.run is not None
        assert planned.census.legacy_untracked == planned.run.planned_rows == 2 + 4
        ended = await working(runtime, planned.run)
        assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 2 + 4)
        again = await census_of(runtime)
        assert again.legacy_untracked == 0


@pytest.mark.usefixtures("always")
async def test_what_is_put_aside_after_it_was_listed_is_none_of_the_plan(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=3, artworks=4) as (app, runtime):
        await heal(runtime)
        await app.run("DELETE FROM user_art_impressions WHERE artwork_id = 'old0001'")
        occasion = await listing(runtime)
        await app.run(
            "INSERT INTO conservator.quarantine"
            " (user_id, artwork_id, run_id, error, first_at, last_at, retry_at)"
            " VALUES ('u0002', 'old0001', 1, 'no', now(), now(), now() + interval '1 hour'),"
            " ('u0003', 'old0001', 1, 'no', now(), now(), now())"
        )
        planned = await planned_for(runtime, occasion)
        assert planned.run is not None
        assert (planned.census.legacy_untracked, planned.run.planned_rows) == (3, 2)
        assert planned.run.aside == 1


@pytest.mark.usefixtures("always")
async def test_more_pairs_than_a_list_holds_are_counted(
    app_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with planted(app_database_url, users=3, artworks=4) as (app, runtime):
        await heal(runtime)
        await app.run("DELETE FROM user_art_impressions WHERE artwork_id = 'old0001'")
        for most, listed in ((3, True), (2, False)):
            monkeypatch.setattr("monitor.healing.missing.MOST_LISTED", most)
            assert ((await listing(runtime)).missing is not None) == listed
        planned = await planned_for(runtime, await listing(runtime))
        assert planned.run is not None
        assert planned.run.planned_rows == 3


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
