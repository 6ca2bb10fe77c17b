"""A small heal lists what is missing once, and all else that follows from the list is what counting
everything says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.affected import count_affected_users
from checks.census import parameters, take_census
from checks.spec import Cutoffs
from monitor.healing.missing import MissingPair, MissingPairs, list_missing, still_missing
from monitor.healing.planner import Planned, count_recurring
from monitor.healing.quarantine import count_unwritable
from monitor.healing.statements import HealingStatements
from monitor.loop.tallies import take_tally
from monitor.state.control import Control
from monitor.state.runs import RunState
from monitor.state.statements import StateStatements
from tests.support.any_shape import shape_runtime
from tests.support.app import App, app_on
from tests.support.databases import EMPTY, cloned
from tests.support.galleries import galleries
from tests.support.generated import TIMES, examples
from tests.support.healed_catalogues import heal_among_writers, make_tables
from tests.support.healing import heal, plan, planted, working
from tests.support.listed_plans import (
    Compared,
    bare,
    census_of,
    compare_plans,
    listing,
    planned_for,
)
from tests.support.open_schema import OpenSchema, run
from tests.support.oracle import ExpectedCensus, expected_census, legacy_of
from tests.support.paired_schemas import in_every_schema
from tests.support.postgres import PostgresServer
from tests.support.readings import READINGS, read_few

pytestmark = pytest.mark.prepared

COMPARED = 12


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


@pytest.mark.generated
@pytest.mark.long
async def test_a_plan_from_a_list_is_the_plan_that_counts_whatever_the_app_writes_meanwhile(
    tables_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds = range(round(COMPARED * TIMES))
    each = [await compare_plans(tables_url, seed, monkeypatch) for seed in seeds]
    done = sum(each, Compared())
    assert min(done.pairs, done.aside, done.recurring, done.gone, done.written) > 0, done


@pytest.mark.usefixtures("always")
async def test_runs_from_a_list_write_and_take_back_the_right_rows_among_writers(
    tables_url: str,
) -> None:
    assert sum([await heal_among_writers(tables_url, seed, listing) for seed in range(3)]) > 0


JOIN = """
INSERT INTO users (id) VALUES ('late');
INSERT INTO user_art_impressions (user_id, artwork_id) VALUES ('late', 'seen0001');
"""
LOSE = """
DELETE FROM user_art_impressions
WHERE artwork_id = 'old0001' AND user_id IN ('u0001', 'u0002', 'u0003', 'u0004');
UPDATE art_sessions SET created_at = now() - interval '7 days' WHERE id = 'stored0001';
UPDATE conservator.tally_user SET impressions = 0 WHERE user_id = 'u0004';
INSERT INTO conservator.quarantine
    (user_id, artwork_id, run_id, error, first_at, last_at, retry_at)
VALUES ('u0003', 'old0001', 1, 'no', now(), now(), now())
"""


@pytest.mark.usefixtures("always")
async def test_of_a_list_only_what_was_healed_and_vanished_recurs(app_database_url: str) -> None:
    async with planted(app_database_url, users=4, artworks=2) as (app, runtime):
        await take_tally(runtime)
        assert (await heal(runtime)).run.state is RunState.SUCCEEDED
        await app.run(JOIN + LOSE)
        occasion = await listing(runtime)
        assert occasion.missing is not None
        by_user = {
            user: {
                (one.artwork_id, one.appeared, one.recurs)
                for one in occasion.missing.pairs
                if one.user_id == user
            }
            for user in ("u0001", "u0003", "u0004", "late")
        }
        aged = ("stored0001", False, False)
        assert by_user == {
            "u0001": {("old0001", True, True), aged},
            # It could not be written before: put aside, and due to be tried again.
            "u0003": {("old0001", True, False), aged},
            # Nobody that the last verified heal was about.
            "u0004": {("old0001", True, False), aged},
            "late": {("old0001", True, False), ("old0002", True, False), aged},
        }
        assert occasion.missing.recurring == 2
        assert await recurring_of(app, await planned_for(runtime, occasion)) == 2
        # By hand everything is tried again, and is listed by the plan itself.
        assert (await plan(runtime)).recurring == 2


async def recurring_of(app: App, planned: Planned) -> int:
    """What the run's row says; then there is no run."""
    assert planned.run is not None
    await app.run("DELETE FROM conservator.work; DELETE FROM conservator.run WHERE id > 1")
    return planned.run.recurring


COLLATED = """
CREATE COLLATION dictionary (provider = icu, locale = 'und');
ALTER TABLE user_art_impressions DROP CONSTRAINT {key};
ALTER TABLE users ALTER COLUMN id TYPE varchar COLLATE dictionary;
ALTER TABLE user_art_impressions ALTER COLUMN user_id TYPE varchar COLLATE dictionary;
INSERT INTO users (id) VALUES ('V'), ('U');
INSERT INTO user_art_impressions (user_id, artwork_id) VALUES ('V', 'seen0001'), ('U', 'seen0001');
"""
KEY = """
SELECT conname FROM pg_constraint
WHERE conrelid = 'user_art_impressions'::regclass AND confrelid = 'users'::regclass
"""


@pytest.mark.usefixtures("always")
async def test_users_of_a_list_come_in_the_order_of_their_column(app_database_url: str) -> None:
    async with app_on(app_database_url) as app:
        await app.plant(users=2, artworks=1, untracked=0)
        try:
            await app.run(COLLATED.format(key=await app.value(KEY)))
        except psycopg.errors.FeatureNotSupported:
            pytest.skip("this server was built without ICU")
        async with shape_runtime(app_database_url) as runtime:
            planned = await planned_for(runtime, await listing(runtime))
            assert planned.run is not None
            work = "SELECT user_id FROM conservator.work ORDER BY position"
            found = [user for (user,) in await app.rows(work)]
            assert found == ["U", "u0001", "u0002", "V"]


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


def expected_list(listed: MissingPairs, user_id: str) -> tuple[str, ...]:
    """What is kept in the work list of a user, unless it is most of what is listed of anybody."""
    whole = {pair.artwork_id for pair in listed.pairs}
    pairs = [pair for pair in listed.pairs if pair.user_id == user_id and not pair.aside]
    return tuple(pair.artwork_id for pair in pairs) if 2 * len(pairs) < len(whole) else ()


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
            read_few(patch, data.draw(st.sampled_from(READINGS)))
            asked = (connection, statements, census, control, gallery.now)
            listed = await list_missing(*asked)
            users = await count_affected_users(connection, opened.catalogue, pools, cutoffs, census)
            if census.legacy_untracked:
                assert sorted(users.missing or ()) == sorted(legacy_of(expected))
            assert listed is not None
            # Pairs that are named need not be found; no others are looked at.
            nobody = replace(users, missing=())
            earlier = replace(nobody, as_of=census.as_of - timedelta(seconds=1))
            for known, pairs in ((users, listed.pairs), (nobody, ()), (earlier, listed.pairs)):
                again = await list_missing(*asked, users=known)
                assert again is not None
                assert Counter(again.pairs) == Counter(pairs)
                order = [one.user_id for one in listed.pairs]
                assert [one.user_id for one in again.pairs] == (order if pairs else [])
        assert {(one.user_id, one.artwork_id) for one in listed.pairs} == legacy_of(expected)
        assert bare(listed.census) == bare(census)
        unwritable = await count_unwritable(connection, statements, cutoffs)
        assert listed.aside == unwritable.pairs
        assert listed.recurring == await count_recurring(connection, statements, cutoffs, control)
        most = data.draw(st.integers(1, 6))
        work = {"due_until": gallery.now, "run_id": 1, "max_rows": most}
        walk = await statements.run(connection, "plan_walk", {**parameters(cutoffs), **work})
        assert [(one.user_id, one.found, one.planned) for one in listed.work(most)] == [
            (row.user_id, row.found, row.planned) for row in walk
        ]
        for one in listed.work(most):
            assert one.artworks == expected_list(listed, one.user_id)
        # Whatever pairs a list names: those that are missing are looked up, and no others.
        some = (
            data.draw(st.lists(st.sampled_from(sorted(expected.states)), unique=True))
            if expected.states
            else []
        )
        named = tuple(MissingPair(*pair, 0.0, False, False, False) for pair in some)
        still = await still_missing(
            connection, statements, MissingPairs(census, named), control, gallery.now
        )
        assert still is not None
        assert Counter(still.pairs) == Counter(
            one for one in listed.pairs if (one.user_id, one.artwork_id) in some
        )
        places = [one.user_id for one in listed.pairs]
        in_order = [places.index(one.user_id) for one in still.pairs]
        assert in_order == sorted(in_order)


@pytest.mark.usefixtures("always")
async def test_of_each_user_the_listed_artworks_are_written_and_no_others_of_the_plan(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=4, artworks=4) as (app, runtime):
        assert (await heal(runtime)).run.state is RunState.SUCCEEDED
        lost = [
            *(("u0001", "old0002"), ("u0002", "old0001"), ("u0002", "old0003")),
            *(("u0003", artwork) for artwork in ("old0001", "old0002", "old0004")),
        ]
        delete = (
            "DELETE FROM user_art_impressions WHERE user_id = %(user)s AND artwork_id = %(one)s"
        )
        for user, artwork in lost:
            await app.run(delete, user=user, one=artwork)
        planned = await planned_for(runtime, await listing(runtime))
        assert planned.run is not None
        work = "SELECT user_id, artworks FROM conservator.work ORDER BY position"
        # Whoever misses half of them is looked up with all.
        assert await app.rows(work) == [("u0001", ["old0002"]), ("u0002", None), ("u0003", None)]
        # Of the plan's artworks, and not among the listed pairs.
        await app.run(delete, user="u0001", one="old0001")
        ended = (await runtime.executor(lambda _: None).work(planned.run)).run
        written = await app.rows(
            "SELECT user_id, artwork_id FROM conservator.backfilled_impression"
            " WHERE run_id = %(run)s ORDER BY 1, 2",
            run=planned.run.id,
        )
        assert written == lost
        assert (ended.state, ended.remaining) == (RunState.PARTIAL, 1)
        assert (await heal(runtime)).run.inserted == 1


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
async def test_who_leaves_while_another_joins_is_none_of_the_plan_and_who_joins_is_the_next_ones(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=3, artworks=4) as (app, runtime):
        await heal(runtime)
        await app.run("DELETE FROM user_art_impressions WHERE artwork_id = 'old0001'")
        occasion = await listing(runtime)
        await app.run(
            "DELETE FROM user_art_impressions WHERE user_id = 'u0001';"
            "INSERT INTO user_art_impressions (user_id, artwork_id) VALUES ('u0004', 'seen0001')"
        )
        planned = await planned_for(runtime, occasion)
        assert planned.run is not None
        assert (planned.run.planned_users, planned.run.planned_rows) == (2, 2)
        assert (await working(runtime, planned.run)).run.state is RunState.SUCCEEDED
        written = (
            "SELECT user_id FROM conservator.backfilled_impression WHERE run_id = 2 ORDER BY 1"
        )
        assert await app.rows(written) == [("u0002",), ("u0003",)]
        assert (await heal(runtime)).run.inserted == 4
        assert (await census_of(runtime)).legacy_untracked == 0


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
            monkeypatch.setattr("monitor.healing.missing.MOST_NAMED", most)
            assert ((await listing(runtime)).missing is not None) == listed
        planned = await planned_for(runtime, await listing(runtime))
        assert planned.run is not None
        assert planned.run.planned_rows == 3
