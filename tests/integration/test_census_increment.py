"""The incremental census is exact, or says that it can't be: over histories of what apps do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks.catalogue import read_catalogue
from checks.census import CensusForm, take_census
from checks.increment import Basis, Increment, basis_of, hindrance, read_young, take_increment
from checks.marks import Reading, read_marks
from checks.relations import Catalogue
from checks.spec import Audience, Borders, CatalogueSpec, PoolsSpec
from monitor.database import create_engine, snapshot
from tests.support.app import App, app_on
from tests.support.databases import APP, cloned
from tests.support.postgres import PostgresServer

LONG = timedelta(seconds=20)
YEAR = timedelta(days=365)

_BEGIN = """
TRUNCATE users, art_sessions, user_art_impressions;
INSERT INTO users (id) SELECT 'u' || n FROM generate_series(1, {users}) AS n;
INSERT INTO art_sessions (id, session_id, image_url, created_at)
SELECT 'a' || n, 's', '/', timezone('UTC', now()) - n * interval '1 day'
FROM generate_series(0, 10) AS n;
INSERT INTO user_art_impressions (user_id, artwork_id, viewed_at)
SELECT u.id, a.id, timezone('UTC', now()) - interval '1 hour'
FROM users AS u CROSS JOIN art_sessions AS a
WHERE u.id <> 'u1' AND a.created_at < timezone('UTC', now()) - interval '5 days';
"""
# As people write it. u1 never came: outside of the audience, unless everybody is counted.
_ANTI_JOIN = """
WITH member AS (
    SELECT u.id FROM users AS u
    WHERE %(everybody)s OR EXISTS (SELECT FROM user_art_impressions AS i WHERE i.user_id = u.id)
)
SELECT
    count(*) FILTER (WHERE i.id IS NOT NULL),
    count(*) FILTER (WHERE i.id IS NULL AND a.created_at > f.fresh_after),
    count(*) FILTER (WHERE i.id IS NULL AND a.created_at <= f.fresh_after
        AND a.created_at > f.legacy_until),
    count(*) FILTER (WHERE i.id IS NULL AND a.created_at <= f.legacy_until),
    (SELECT count(*) FROM member),
    (SELECT count(*) FROM users)
FROM member AS m CROSS JOIN art_sessions AS a
CROSS JOIN (SELECT timezone('UTC', %(fresh_after)s), timezone('UTC', %(legacy_until)s))
    AS f (fresh_after, legacy_until)
LEFT JOIN user_art_impressions AS i ON i.user_id = m.id AND i.artwork_id = a.id
"""

# What an app does all day: an increment must follow it.
_VIEW = """
INSERT INTO user_art_impressions (user_id, artwork_id, viewed_at)
SELECT 'u{user}', 'a{artwork}', timezone('UTC', now())
WHERE EXISTS (SELECT FROM users WHERE id = 'u{user}')
    AND EXISTS (SELECT FROM art_sessions WHERE id = 'a{artwork}')
ON CONFLICT DO NOTHING
"""
_FOLLOWED = (
    "SELECT",
    _VIEW,
    _VIEW,
    "INSERT INTO art_sessions (id, session_id, image_url) VALUES (gen_random_uuid(), 's', '/')",
    "INSERT INTO users (id) VALUES (gen_random_uuid())",
    "DELETE FROM users AS u WHERE id = (SELECT min(u.id) FROM users AS u WHERE NOT EXISTS"
    " (SELECT FROM user_art_impressions AS i WHERE i.user_id = u.id))",
    "UPDATE users SET email = gen_random_uuid()",
    "VACUUM user_art_impressions",
    "ANALYZE user_art_impressions",
)
# What it may do as well: an increment that is given after this must be right all the same.
_ODD = (
    _VIEW.replace("timezone('UTC', now())", "timezone('UTC', now()) - interval '3 hours'"),
    _VIEW.replace("timezone('UTC', now())", "timezone('UTC', now()) + interval '3 hours'"),
    "BEGIN; " + _VIEW + "; ROLLBACK",
    "DELETE FROM user_art_impressions WHERE user_id = 'u{user}' AND artwork_id = 'a{artwork}'",
    "DELETE FROM users WHERE id = 'u{user}'",
    "DELETE FROM art_sessions WHERE id = 'a{artwork}'",
    "UPDATE user_art_impressions SET viewed_at = timezone('UTC', now()) WHERE user_id = 'u{user}'",
    "UPDATE art_sessions SET created_at = created_at + interval '6 days' WHERE id = 'a{artwork}'",
    "INSERT INTO art_sessions (id, session_id, image_url, created_at)"
    " VALUES (gen_random_uuid(), 's', '/', timezone('UTC', now()) - interval '9 days')",
    "TRUNCATE user_art_impressions",
    "VACUUM FULL user_art_impressions",
    "SELECT pg_stat_reset()",
    "SELECT pg_stat_reset_single_table_counters('user_art_impressions'::regclass)",
    "BEGIN; INSERT INTO user_art_impressions (user_id, artwork_id) VALUES ('u{user}', 'a{artwork}')"
    " ON CONFLICT DO NOTHING; DELETE FROM user_art_impressions WHERE user_id = 'u{other}'"
    " AND artwork_id = 'a{artwork}'; COMMIT",
)


@dataclass(frozen=True)
class Step:
    statement: str
    later: timedelta
    """How far the clock moves on before the next count."""


def steps(*statements: str) -> st.SearchStrategy[Step]:
    return st.builds(
        lambda text, user, other, artwork, later: Step(
            text.format(user=user, other=other, artwork=artwork), later
        ),
        st.sampled_from(statements),
        st.integers(1, 4),
        st.integers(1, 4),
        st.integers(0, 9),
        st.sampled_from([timedelta(), timedelta(), timedelta(minutes=20), timedelta(hours=7)]),
    )


class Observed:
    """The app's database, the app's session, which reports at once, and ours."""

    def __init__(self, app: App, engine: AsyncEngine, catalogue: Catalogue) -> None:
        self.app = app
        self.engine = engine
        self.catalogue = catalogue

    async def do(self, statement: str) -> None:
        try:
            await self.app.run(statement)
        except psycopg.errors.ForeignKeyViolation:  # counted by PostgreSQL all the same
            await self.app.run("ROLLBACK")
        await self.app.run("SELECT pg_stat_force_next_flush()")

    async def marks(self, connection: AsyncConnection) -> Reading:
        await connection.exec_driver_sql("SELECT 1")  # the snapshot, before the counters
        return await read_marks(connection, self.catalogue, spared=None, settled_after=0.0)

    async def now(self) -> datetime:
        now: datetime = await self.app.value("SELECT now()")
        return now

    async def basis(self, pools: PoolsSpec) -> Basis:
        async with snapshot(self.engine, timeout=LONG) as connection:
            before = await self.marks(connection)
            assert not before.incomplete
            borders = Borders.at(before.now, pools)
            census = await take_census(connection, self.catalogue, pools, borders)
            assert census.legacy_untracked == 0
            young = await read_young(connection, self.catalogue, pools, borders)
        assert young is not None
        return basis_of(census, young, before.marks, self.catalogue, pools)

    async def increment(self, basis: Basis, ahead: timedelta) -> Increment | str:
        """The increment, compared with a full count and the anti-join in the same snapshot."""
        pools = basis.pools
        async with snapshot(self.engine, timeout=LONG) as connection:
            reading = await self.marks(connection)
            assert not reading.incomplete
            borders = Borders.at(reading.now + ahead, pools)
            found = await take_increment(connection, basis, reading.marks, borders)
            full = await take_census(connection, self.catalogue, pools, borders)
            plain = await connection.exec_driver_sql(
                _ANTI_JOIN,
                {
                    "everybody": pools.audience is Audience.ALL,
                    "fresh_after": borders.fresh_after,
                    "legacy_until": borders.legacy_until,
                },
            )
            expected = tuple(plain.one())
        assert (*full.counts, full.audience, full.users) == expected
        if isinstance(found, Increment):
            census = found.census
            assert (*census.counts, census.audience, census.users) == expected
            assert (census.form, census.as_of) == (CensusForm.INCREMENTAL, full.as_of)
            assert (census.legacy_artworks, census.appeared) == (0, 0)
            if found.basis.at > reading.now:  # the app's clock has not moved on with ours
                return replace(found, basis=replace(found.basis, at=reading.now))
        return found


@pytest.fixture(scope="module")
def url(server: PostgresServer) -> Iterator[str]:
    with cloned(server, APP) as made:
        yield made


@pytest.fixture
async def observed(url: str) -> AsyncIterator[Observed]:
    engine = create_engine(url, pool_size=1)
    try:
        async with snapshot(engine, timeout=LONG) as connection:
            catalogue = (await read_catalogue(connection, CatalogueSpec())).require()
            assert hindrance(catalogue, PoolsSpec()) == ""
        async with app_on(url) as app:
            yield Observed(app, engine, catalogue)
    finally:
        await engine.dispose()


generated = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


async def followed(
    observed: Observed, pools: PoolsSpec, history: list[Step]
) -> list[Increment | str]:
    """What is found after each step, each compared; the next goes on from the last that was
    exact."""
    await observed.do(_BEGIN.format(users=3))
    basis, ahead = await observed.basis(pools), timedelta()
    results: list[Increment | str] = []
    for step in history:
        await observed.do(step.statement)
        ahead += step.later
        found = await observed.increment(basis, ahead)
        if isinstance(found, Increment):
            basis = found.basis
        results.append(found)
    return results


@generated
@given(
    audience=st.sampled_from(Audience),
    history=st.lists(steps(*_FOLLOWED, *_ODD), min_size=1, max_size=6),
)
async def test_an_increment_says_what_a_full_count_and_the_anti_join_say_whatever_happened(
    observed: Observed, audience: Audience, history: list[Step]
) -> None:
    await followed(observed, PoolsSpec(legacy_after=timedelta(days=20), audience=audience), history)


@generated
@given(history=st.lists(steps(*_FOLLOWED), min_size=1, max_size=6))
async def test_what_an_app_does_all_day_is_followed_without_a_full_count(
    observed: Observed, history: list[Step]
) -> None:
    for found in await followed(observed, PoolsSpec(legacy_after=YEAR), history):
        assert isinstance(found, Increment), found


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("DELETE FROM user_art_impressions WHERE user_id = 'u2' AND artwork_id = 'a7'", "deleted"),
        ("DELETE FROM art_sessions WHERE id = 'a0'", "Rows of the artworks"),
        ("UPDATE art_sessions SET created_at = now() WHERE id = 'a9'", "Rows of the artworks"),
        ("UPDATE user_art_impressions SET viewed_at = now()", "updated or deleted"),
        ("TRUNCATE user_art_impressions", "emptied or rewritten"),
        ("SELECT pg_stat_reset()", "counters were reset"),
        (
            "SELECT pg_stat_reset_single_table_counters('user_art_impressions'::regclass)",
            "counters were reset",
        ),
        (
            "INSERT INTO user_art_impressions (user_id, artwork_id, viewed_at)"
            " VALUES ('u2', 'a0', now() - interval '2 days')",
            "1 impressions were inserted, 0 were viewed since.",
        ),
        (
            "INSERT INTO user_art_impressions (user_id, artwork_id, viewed_at)"
            " VALUES ('u2', 'a0', now() + interval '2 days')",
            "viewed in the future",
        ),
        (
            "BEGIN; INSERT INTO user_art_impressions (user_id, artwork_id) VALUES ('u2', 'a0');"
            " ROLLBACK",
            "1 impressions were inserted, 0 were viewed since.",
        ),
        (
            "INSERT INTO art_sessions (id, session_id, image_url, created_at)"
            " VALUES ('new', 's', '/', now() - interval '30 days')",
            "There are legacy pairs.",
        ),
        ("DROP INDEX user_art_impressions_viewed_at_idx", ""),
    ],
)
async def test_what_it_cannot_follow_it_says_in_a_sentence(
    observed: Observed, statement: str, why: str
) -> None:
    await observed.do(_BEGIN.format(users=3))
    basis = await observed.basis(PoolsSpec(legacy_after=timedelta(days=20)))
    await observed.do(statement)
    found = await observed.increment(basis, timedelta())
    if why:
        assert isinstance(found, str)
        assert why in found
    else:
        assert isinstance(found, Increment)


async def test_artworks_that_age_into_legacy_are_noticed_though_no_row_has_changed(
    observed: Observed,
) -> None:
    await observed.do(_BEGIN.format(users=3))
    basis = await observed.basis(PoolsSpec(legacy_after=timedelta(days=20)))
    assert isinstance(await observed.increment(basis, timedelta(days=9)), Increment)
    assert await observed.increment(basis, timedelta(days=16)) == "There are legacy pairs."


async def test_a_clock_that_went_back_asks_for_a_full_count(observed: Observed) -> None:
    await observed.do(_BEGIN.format(users=3))
    basis = await observed.basis(PoolsSpec(legacy_after=timedelta(days=20)))
    found = await observed.increment(basis, timedelta(seconds=-60))
    assert found == "The database's clock has gone back."


async def test_a_session_that_is_in_a_transaction_or_unseen_makes_the_marks_incomplete(
    observed: Observed, url: str
) -> None:
    async with app_on(url) as other:
        await other.run("BEGIN")
        async with snapshot(observed.engine, timeout=LONG) as connection:
            reading = await observed.marks(connection)
        assert reading.incomplete.startswith("1 sessions were busy just now")
        await other.run("ROLLBACK")
        async with snapshot(observed.engine, timeout=LONG) as connection:
            assert (await observed.marks(connection)).incomplete == ""
            settled = await read_marks(connection, observed.catalogue, spared=None)
            assert "sessions were busy just now" in settled.incomplete


async def test_a_change_that_its_session_has_not_reported_yet_is_never_taken_for_none(
    observed: Observed, url: str
) -> None:
    """Two transactions within a second: the second is held back by PostgreSQL, and not by us."""
    await observed.do(_BEGIN.format(users=3))
    basis = await observed.basis(PoolsSpec(legacy_after=timedelta(days=20)))
    async with app_on(url) as other:
        for number in range(6, 9):
            await other.run(f"DELETE FROM user_art_impressions WHERE artwork_id = 'a{number}'")
            async with snapshot(observed.engine, timeout=LONG) as connection:
                await connection.exec_driver_sql("SELECT 1")
                reading = await read_marks(connection, observed.catalogue, spared=None)
            assert reading.incomplete
    assert reading.marks.impressions.deleted - basis.marks.impressions.deleted < 9
