"""Ids whose types are domains that admit neither NULL nor '', some sorted by bytes: everything that
this service does, and what it keeps, works with the types beneath."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from checks.census import take_census
from checks.pairs import PairState, explain, read_pair
from monitor.database import create_engine, snapshot
from monitor.loop.tallies import prune_tallies, take_tally
from monitor.replicas.retention import forget_erased, sweep_ledger
from monitor.runtime import Runtime, inspect_catalogue
from monitor.service.startup import load_runtime
from monitor.state.runs import Run, RunState, Trigger
from tests.support.app import App, app_on
from tests.support.healing import (
    claimed,
    heal,
    heal_until,
    make_runtime,
    make_settings,
    paced,
    plan,
)
from tests.support.undoing import undo

GALLERY = (Path(__file__).parents[1] / "galleries" / "domain_ids.sql").read_text(encoding="utf-8")
GALLERY += """
DELETE FROM sightings WHERE right(visitor, 4)::int BETWEEN 21 AND 90;
DELETE FROM visitors WHERE right(code, 4)::int BETWEEN 21 AND 90;
"""
AS_IT_IS = "SELECT"
ARTWORKS_TOO = """
CREATE DOMAIN short_code AS varchar(26) COLLATE "C";
CREATE DOMAIN artwork_code AS short_code NOT NULL CHECK (length(value) = 26);
ALTER TABLE artworks ALTER COLUMN id TYPE artwork_code;
ALTER TABLE sightings ALTER COLUMN artwork TYPE artwork_code;
CREATE DOMAIN clock AS timestamptz NOT NULL;
ALTER TABLE sightings ALTER COLUMN seen_at TYPE clock;
"""
"""A domain over a domain, one of moments."""
CONFIG: dict[str, Any] = {
    "catalog": {
        "artworks": {"table": "artworks", "created_at": "hung_at", "where": "NOT gone"},
        "users": {"table": "visitors", "id": "code", "where": "NOT away"},
        "impressions": {
            "table": "sightings",
            "user": "visitor",
            "artwork": "artwork",
            "viewed_at": "seen_at",
            "defaults": {"code": "'healed-' || gen_random_uuid()::text"},
        },
    },
    "pools": {"fresh_for": "4h"},
    **paced(30),
}
ORACLE = """
SELECT count(*) FILTER (WHERE seen), count(*) FILTER (WHERE NOT seen AND fresh),
    count(*) FILTER (WHERE NOT seen AND NOT fresh AND NOT legacy),
    count(*) FILTER (WHERE NOT seen AND legacy)
FROM (
    SELECT a.hung_at > now() - interval '4 hours' AS fresh,
        a.hung_at <= now() - interval '7 days' AS legacy, EXISTS (
            SELECT FROM sightings AS s WHERE s.visitor = v.code AND s.artwork = a.id
        ) AS seen
    FROM visitors AS v CROSS JOIN artworks AS a
    WHERE NOT v.away AND NOT a.gone AND EXISTS (
        SELECT FROM sightings AS s WHERE s.visitor = v.code
    )
) AS pair
"""
SIGHTINGS = "SELECT code::text, visitor::text, artwork::text, seen_at::timestamptz FROM sightings"
SYNTHETIC = """
SELECT count(*) FROM sightings AS s JOIN conservator.backfilled_impression AS b
    ON b.user_id = s.visitor AND b.artwork_id = s.artwork AND b.viewed_at = s.seen_at
"""
OURS = """
SELECT DISTINCT a.atttypid::regtype::text, a.attcollation::regcollation::text
FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
WHERE c.relnamespace = 'conservator'::regnamespace AND c.relkind = 'r' AND a.attnum > 0
  AND a.attname IN ('user_id', 'artwork_id', 'subject', 'user_cursor', 'artwork_cursor')
ORDER BY 1
"""
REFUSING = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.visitor = 'Vi-0003' AND EXISTS (
        SELECT FROM one_piece WHERE id = NEW.artwork
    ) THEN RAISE check_violation; END IF;
    RETURN NEW;
END $$;
CREATE TABLE one_piece AS
    SELECT a.id::text AS id FROM artworks AS a
    WHERE NOT gone AND a.hung_at < now() - interval '8 days' AND NOT EXISTS (
        SELECT FROM sightings AS s WHERE s.visitor = 'Vi-0003' AND s.artwork = a.id
    )
    ORDER BY 1 DESC LIMIT 1;
GRANT SELECT ON one_piece TO PUBLIC;
CREATE TRIGGER refuse BEFORE INSERT ON sightings FOR EACH ROW EXECUTE FUNCTION refuse();
"""
NEWCOMER = "Vi-0095"
"""Has seen nothing."""


async def counts(runtime: Runtime) -> tuple[int, ...]:
    async with snapshot(runtime.engine, timeout=runtime.settings.lease) as connection:
        cutoffs = await runtime.planner._context.cutoffs(connection)
        pools = runtime.settings.pools_spec()
        return (await take_census(connection, runtime.catalogue, pools, cutoffs)).counts


async def explained(runtime: Runtime, user: str, artwork: str) -> PairState:
    async with snapshot(runtime.engine, timeout=runtime.settings.lease) as connection:
        cutoffs = await runtime.planner._context.cutoffs(connection)
        pools = runtime.settings.pools_spec()
        facts = await read_pair(
            connection, runtime.catalogue, pools, cutoffs, user_id=user, artwork_id=artwork
        )
    return explain(facts, pools, cutoffs).state


async def oracle(app: App) -> tuple[int, ...]:
    [found] = await app.rows(ORACLE)
    return tuple(found)


async def nothing(_: object) -> None:
    """Who leads may write."""


@pytest.mark.parametrize("variant", [AS_IT_IS, ARTWORKS_TOO], ids=["as it is", "artworks, too"])
async def test_everything_works_on_domains(database_url: str, variant: str) -> None:
    async with app_on(database_url) as app:
        await app.run(GALLERY)
        await app.run(variant)
        before = sorted(await app.rows(SIGHTINGS))
        async with make_runtime(database_url, **CONFIG) as runtime:
            assert await app.rows(OURS) == [
                ("character varying", '"C"'),
                ("text", '"default"'),
            ]
            first = await assert_is_healed(app, runtime)
            user = await assert_one_user_is_healed(app, runtime)
            await assert_the_books_are_kept(app, runtime)
            for run in await runs_that_wrote(app):
                undone = (await undo(runtime, run)).run
                assert undone.state is RunState.SUCCEEDED, undone.outcome
            assert {first, user} <= set(await written(app))
            assert sorted(await app.rows(SIGHTINGS)) == before
            assert await app.rows("SELECT * FROM conservator.backfilled_impression") == []


async def runs_that_wrote(app: App) -> list[int]:
    return [
        run
        for (run,) in await app.rows(
            "SELECT DISTINCT run_id FROM conservator.backfilled_impression ORDER BY 1 DESC"
        )
    ]


async def written(app: App) -> list[int]:
    rows = await app.rows("SELECT undoes FROM conservator.run WHERE kind = 'undo'")
    return [run for (run,) in rows]


async def assert_is_healed(app: App, runtime: Runtime) -> int:
    """In small batches that part one user, put down and taken up in the middle."""
    expected = await oracle(app)
    assert await counts(runtime) == expected
    assert expected[-1] > 900
    held = (await heal_until(runtime, await plan(runtime), batches=3)).run
    assert held.state is RunState.HELD
    eager = await claimed(runtime, held.id)
    ended = (await runtime.executor(lambda _: None).work(eager)).run
    assert (ended.state, ended.inserted) == (RunState.SUCCEEDED, expected[-1]), ended.outcome
    assert await oracle(app) == (expected[0] + expected[-1], *expected[1:3], 0)
    assert await counts(runtime) == await oracle(app)
    assert await app.value(SYNTHETIC) == expected[-1]
    return ended.id


async def assert_one_user_is_healed(app: App, runtime: Runtime) -> int:
    old = await app.value(
        "SELECT id::text FROM artworks WHERE NOT gone ORDER BY hung_at, id LIMIT 1"
    )
    assert await explained(runtime, NEWCOMER, old) is PairState.LEGACY_UNTRACKED
    planned = await runtime.planner.plan_user(
        runtime.run_owner(Trigger.API), NEWCOMER, reason="a test", force=False
    )
    assert isinstance(planned, Run)
    ended = (await runtime.executor(lambda _: None).work(planned)).run
    assert (ended.state, ended.subject) == (RunState.SUCCEEDED, NEWCOMER)
    assert await explained(runtime, NEWCOMER, old) is PairState.TRACKED
    assert await app.value("SELECT user_id FROM conservator.backfilled_user") == NEWCOMER
    return ended.id


async def assert_the_books_are_kept(app: App, runtime: Runtime) -> None:
    """Tallies, the sweep of the ledger, and what is forgotten of users that are gone."""
    ledger = await app.value("SELECT count(*) FROM conservator.backfilled_impression")
    tally = await take_tally(runtime, appeared=True)
    assert tally.error is None
    await prune_tallies(runtime)
    assert await app.value("SELECT count(*) FROM conservator.tally_user") > 20
    await forget_erased(runtime, nothing)
    assert await sweep_ledger(runtime, nothing, step=1000) == 0
    assert await app.value("SELECT count(*) FROM conservator.backfilled_impression") == ledger


async def test_a_pair_that_is_refused_is_put_aside_and_comes_back(database_url: str) -> None:
    async with app_on(database_url) as app:
        await app.run(GALLERY)
        await app.run(ARTWORKS_TOO)
        async with make_runtime(database_url, **CONFIG) as runtime:
            await app.run(REFUSING)
            ended = (await heal(runtime)).run
            assert (ended.state, ended.quarantined) == (RunState.PARTIAL, 1)
            assert await app.value("SELECT user_id FROM conservator.quarantine") == "Vi-0003"
            assert (await oracle(app))[-1] == 1
            await app.run("DROP TRIGGER refuse ON sightings")
            ended = (await heal(runtime)).run
            assert (ended.state, ended.inserted) == (RunState.SUCCEEDED, 1), ended.outcome
            assert await app.value("SELECT count(*) FROM conservator.quarantine") == 0


async def test_columns_that_an_earlier_version_made_of_domains_follow(database_url: str) -> None:
    async with app_on(database_url) as app:
        await app.run(GALLERY)
        async with make_runtime(database_url, **CONFIG):
            new = await app.rows(OURS)
        for column in ("run {} subject", "work {} user_id", "backfilled_impression {} user_id"):
            alter = column.format("ALTER COLUMN")
            await app.run(f"ALTER TABLE conservator.{alter} TYPE visitor_code")
        settings = make_settings(database_url, **CONFIG)
        engine = create_engine(settings.database.sqlalchemy_url, pool_size=1)
        try:
            [finding] = (await inspect_catalogue(engine, settings)).blocking()
            assert (
                "run.subject, work.user_id, backfilled_impression.user_id are visitor_code,"
                " should be text"
            ) in finding.problem
            await load_runtime(engine, settings, holder="a test")
        finally:
            await engine.dispose()
        assert await app.rows(OURS) == new
