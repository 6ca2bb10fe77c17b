"""Our own tables follow when the types of the app's ids and moments change after `init`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import psycopg
import pytest

from checks.catalogue import read_catalogue
from checks.census import take_census
from checks.doctor.findings import Blocks, Finding
from checks.errors import CatalogueError, ConservatorError
from monitor.database import create_engine, snapshot
from monitor.healing.errors import TYPES_CHANGED, NotUndoableError
from monitor.healing.executor import RunResult
from monitor.loop.tallies import take_tally
from monitor.policy.decision import Code
from monitor.runtime import Runtime, build, inspect_catalogue
from monitor.service.startup import ensure_schema, load_runtime
from monitor.state import schema
from monitor.state.following import missing_changes
from monitor.state.runs import Run, RunState, Trigger
from monitor.state.statements import StateStatements
from tests.support.app import App, app_on, conninfo
from tests.support.healing import (
    claimed,
    heal,
    heal_until,
    make_runtime,
    make_settings,
    paced,
    plan,
    service_settings,
)
from tests.support.services import QUICK, decided, is_clean, service_on
from tests.support.type_changes import (
    INT_TO_BIGINT,
    LEGACY,
    TO_TIMESTAMPTZ,
    TYPE_CHANGES,
    VARCHAR_TO_UUID,
    TypeChange,
)
from tests.support.undoing import undo
from tests.support.waiting import wait_until

pytestmark = pytest.mark.long

STATE = (
    *("run", "work", "batch", "backfilled_impression", "backfilled_user", "control", "counter"),
    *("quarantine", "tally_artwork", "tally_user", "census", "check_status"),
)
MATCHING = """
SELECT run_id, count(*) FROM conservator.backfilled_impression AS b
JOIN user_art_impressions AS i USING (user_id, artwork_id, viewed_at) GROUP BY run_id ORDER BY 1
"""
"""How an analyst finds what is synthetic: a row for a row of the ledger."""
LISTED = "SELECT run_id, count(*) FROM conservator.backfilled_impression GROUP BY run_id ORDER BY 1"
IMPRESSIONS = """
SELECT user_id::text, artwork_id::text, extract(epoch FROM viewed_at) FROM user_art_impressions
"""
ASIDE = """
INSERT INTO conservator.quarantine (
    user_id, artwork_id, run_id, error, first_at, last_at, retry_at
) VALUES (key(6), key(1), 1, '23514: no', now(), now(), now() + interval '1 day')
"""
LEGACY_PAIRS = """
SELECT count(*) FROM users AS u CROSS JOIN art_sessions AS a
LEFT JOIN user_art_impressions AS i ON i.user_id = u.id AND i.artwork_id = a.id
WHERE i.user_id IS NULL AND a.created_at < now() - interval '20 days'
  AND EXISTS (SELECT FROM user_art_impressions AS one WHERE one.user_id = u.id)
"""


async def kept(app: App) -> dict[str, list[str]]:
    """Every row of ours but for cursors, moments as seconds."""
    found = {}
    for table in STATE:
        rows: list[dict[str, Any]] = [
            row for (row,) in await app.rows(f"SELECT to_jsonb(t) FROM conservator.{table} AS t")
        ]
        if table == "backfilled_impression":
            seconds = await app.rows(
                "SELECT b.run_id, b.user_id::text, b.artwork_id::text, i.viewed_at IS NOT NULL"
                " FROM conservator.backfilled_impression AS b"
                " LEFT JOIN user_art_impressions AS i USING (user_id, artwork_id, viewed_at)"
            )
            found[table] = sorted(json.dumps(row) for row in seconds)
            continue
        for row in rows:
            for cursor in ("artwork_cursor", "user_cursor"):
                row.pop(cursor, None)
        found[table] = sorted(json.dumps(row) for row in rows)
    return found


async def findings(runtime: Runtime) -> list[Finding]:
    examination = await inspect_catalogue(runtime.engine, runtime.settings)
    return [finding for finding in examination.findings if finding.blocks is not Blocks.NOTHING]


async def census_counts(runtime: Runtime) -> tuple[int, ...]:
    async with snapshot(runtime.engine, timeout=runtime.settings.lease) as connection:
        facts = await read_catalogue(connection, runtime.settings.catalog_spec())
        pools = runtime.settings.pools_spec()
        cutoffs = await runtime.planner._context.cutoffs(connection)
        return (await take_census(connection, facts.require(), pools, cutoffs)).counts


async def backfill_user(runtime: Runtime, user: str) -> RunResult:
    run = await runtime.planner.plan_user(
        runtime.run_owner(Trigger.API), user, reason="a test", force=True
    )
    assert isinstance(run, Run)
    return await runtime.executor(lambda _: None).work(run)


async def init(url: str, config: Mapping[str, object]) -> bool:
    """`conservator init`, by the owner of the tables."""
    settings = make_settings(url, **config)
    engine = create_engine(settings.database.sqlalchemy_url, pool_size=1)
    try:
        catalogue = (await inspect_catalogue(engine, settings)).catalogue
        assert catalogue is not None
        return await ensure_schema(
            engine, StateStatements(catalogue, settings.pools_spec(), "conservator")
        )
    finally:
        await engine.dispose()


async def script(url: str, config: Mapping[str, object]) -> str:
    """`conservator init --print-sql`, but for the grants."""
    settings = make_settings(url, **config)
    engine = create_engine(settings.database.sqlalchemy_url, pool_size=1)
    try:
        catalogue = (await inspect_catalogue(engine, settings)).catalogue
        assert catalogue is not None
        async with snapshot(engine, timeout=settings.lease) as connection:
            found = await schema.version(connection, "conservator")
            changes = await missing_changes(connection, catalogue, "conservator")
        return schema.script(catalogue, "conservator", found, changes)
    finally:
        await engine.dispose()


async def run_script(url: str, text: str) -> None:
    async with await psycopg.AsyncConnection.connect(conninfo(url), autocommit=True) as owner:
        await owner.execute(text.encode())


async def assert_refused_while_types_differ(app: App, before: Runtime, change: TypeChange) -> None:
    """By a service that read the tables before, and by whoever reads them now."""
    tables = ("user_art_impressions", "conservator.backfilled_impression", "conservator.work")
    rows = await app.fingerprint(*tables)
    with pytest.raises(NotUndoableError, match="other types"):
        await undo(before, 1)
    held = await app.value("SELECT id FROM conservator.run WHERE state = 'held'")
    ended = await before.executor(lambda _: None).work(await claimed(before, held))
    assert (ended.run.state, ended.run.outcome) == (RunState.HELD, TYPES_CHANGED)
    [finding] = await findings(before)
    assert finding.code == "state_types_differ"
    assert finding.blocks is Blocks.HEALING
    assert change.problem in finding.problem
    assert set(change.columns) <= {word.strip(",") for word in finding.problem.split()}
    assert "conservator init" in finding.remedy
    examination = await inspect_catalogue(before.engine, before.settings)
    assert examination.catalogue is not None
    anew = build(before.engine, before.settings, examination, examination.catalogue)
    with pytest.raises(NotUndoableError, match="other types"):
        await undo(anew, 1)
    with pytest.raises(CatalogueError, match=r"could not be made so.*must be owner"):
        await ensure_schema(anew.engine, anew.state)
    assert await app.fingerprint(*tables) == rows


@pytest.mark.parametrize("change", TYPE_CHANGES, ids=lambda change: change.name)
async def test_every_row_comes_along_and_old_runs_are_taken_back(
    database_url: str, change: TypeChange
) -> None:
    config = {**change.config, **paced(2)}
    async with app_on(database_url) as app:
        await app.run(change.tables)
        async with make_runtime(database_url, **config) as before:
            first = await heal(before, max_rows=8)
            await backfill_user(before, await app.value("SELECT key(6)::text"))
            await take_tally(before)
            await app.run(ASIDE)
            second = (await heal_until(before, await plan(before), batches=2)).run
            assert (first.run.inserted, second.state) == (8, RunState.HELD)
            rows, matching = await kept(app), await app.rows(MATCHING)
            counts = await census_counts(before)
            await app.run(change.change)
            await assert_refused_while_types_differ(app, before, change)
        printed = await script(database_url, config)
        assert await init(database_url, config)
        assert not await init(database_url, config)
        assert printed.count("ALTER TABLE") == len({c.split(".")[0] for c in change.columns}) + (
            change.columns != ("backfilled_impression.viewed_at",)
        )
        assert await app.rows(MATCHING) == matching == await app.rows(LISTED)
        assert {**await kept(app), "run": rows["run"]} == {**rows}
        async with make_runtime(database_url, **config) as after:
            await assert_works_as_before(app, after, counts, second)


async def assert_works_as_before(
    app: App, runtime: Runtime, counts: tuple[int, ...], held: Run
) -> None:
    assert await findings(runtime) == []
    assert await census_counts(runtime) == counts
    assert counts[-1] == await app.value(LEGACY_PAIRS)
    ended = (await runtime.executor(lambda _: None).work(await claimed(runtime, held.id))).run
    assert ended.state is RunState.SUCCEEDED, ended.outcome
    assert await app.value(LEGACY_PAIRS) == 0
    assert await app.rows(MATCHING) == await app.rows(LISTED)
    whole = set(await app.rows(IMPRESSIONS))
    assert len(whole) == 5 + LEGACY + 7
    for run, size in ((1, 8), (held.id, LEGACY - 8)):
        undone = (await undo(runtime, run)).run
        assert (undone.state, undone.inserted) == (RunState.SUCCEEDED, size), undone.outcome
    left = set(await app.rows(IMPRESSIONS))
    assert left < whole
    assert len(left) == 5 + 7
    assert await app.rows(LISTED) == [(2, 7)]


@pytest.mark.parametrize("change", [VARCHAR_TO_UUID, TO_TIMESTAMPTZ], ids=lambda one: one.name)
async def test_the_printed_script_does_the_same(database_url: str, change: TypeChange) -> None:
    async with app_on(database_url) as app:
        await app.run(change.tables)
        async with make_runtime(database_url, **change.config) as before:
            await heal(before)
        matching = await app.rows(MATCHING)
        await app.run(change.change)
        await run_script(database_url, await script(database_url, change.config))
        assert await app.rows(MATCHING) == matching
        assert not await init(database_url, change.config)
        assert "ALTER" not in await script(database_url, change.config)


async def test_serve_brings_them_along_where_it_may(database_url: str) -> None:
    change = INT_TO_BIGINT
    async with app_on(database_url) as app:
        await app.run(change.tables)
        async with make_runtime(database_url) as before:
            await heal(before)
        await app.run(change.change)
        settings = make_settings(database_url)
        engine = create_engine(settings.database.sqlalchemy_url, pool_size=1)
        runtime = await load_runtime(engine, settings, holder="a test")
        assert await findings(runtime) == []
        await engine.dispose()


async def test_a_service_that_may_not_says_so_and_leaves_everything_as_it_is(
    database_url: str,
) -> None:
    change = INT_TO_BIGINT
    async with app_on(database_url) as app:
        await app.run(change.tables)
        settings = await service_settings(database_url)
        await app.run(change.change)
        engine = create_engine(settings.database.sqlalchemy_url, pool_size=1)
        rows = await kept(app)
        try:
            await load_runtime(engine, settings, holder="a test")
        except CatalogueError as error:
            assert "run.subject" in str(error)
        assert await kept(app) == rows
        await engine.dispose()


async def test_a_service_that_runs_meanwhile_counts_refuses_and_goes_on(database_url: str) -> None:
    checks = {**QUICK, "structure": {"every": "300ms", "budget": "100%"}}
    async with app_on(database_url) as app:
        await app.run(VARCHAR_TO_UUID.tables)
        async with service_on(database_url, checks) as service:
            await wait_until(lambda: is_clean(service))
            await app.run(VARCHAR_TO_UUID.change)
            await app.run(
                "INSERT INTO art_sessions VALUES (gen_random_uuid(), now() - interval '30 days')"
            )
            await wait_until(decided(service, Code.CATALOGUE))
            status = service.board.current
            assert status.decision is not None
            assert "are character varying, should be uuid" in status.decision.reason
            assert status.census is not None
            assert status.census.legacy_untracked == 5 == await app.value(LEGACY_PAIRS)
            assert await init(database_url, {})
            await wait_until(lambda: is_clean(service))
        assert await app.value(LEGACY_PAIRS) == 0
        assert await app.rows(MATCHING) == await app.rows(LISTED) == [(1, LEGACY), (2, 5)]


async def test_what_does_not_convert_is_one_sentence_and_changes_nothing(
    database_url: str,
) -> None:
    """The app has given its rows other ids, which nobody can know from the old ones."""
    async with app_on(database_url) as app:
        await app.run(INT_TO_BIGINT.tables)
        async with make_runtime(database_url) as before:
            await heal(before)
        await app.run(
            """
            DROP TABLE user_art_impressions, users, art_sessions;
            CREATE TABLE users (id uuid PRIMARY KEY);
            CREATE TABLE art_sessions (id uuid PRIMARY KEY, created_at timestamptz NOT NULL);
            CREATE TABLE user_art_impressions (
                user_id uuid NOT NULL REFERENCES users,
                artwork_id uuid NOT NULL REFERENCES art_sessions,
                viewed_at timestamptz NOT NULL, PRIMARY KEY (user_id, artwork_id)
            );
            """
        )
        ours = [f"conservator.{table}" for table in STATE]
        rows = await app.fingerprint(*ours)
        with pytest.raises(ConservatorError) as refusal:
            await init(database_url, {})
        sentence = str(refusal.value)
        assert 'invalid input syntax for type uuid: "1"' in sentence
        assert "Nothing was changed" in sentence
        assert "\n" not in sentence
        assert await app.fingerprint(*ours) == rows


async def test_a_view_over_the_ledger_in_the_way_is_named(database_url: str) -> None:
    async with app_on(database_url) as app:
        await app.run(INT_TO_BIGINT.tables)
        async with make_runtime(database_url):
            pass
        await app.run(
            "CREATE VIEW synthetic AS SELECT user_id FROM conservator.backfilled_impression"
        )
        await app.run(INT_TO_BIGINT.change)
        with pytest.raises(CatalogueError, match="used by a view"):
            await init(database_url, {})
        await app.run("DROP VIEW synthetic")
        assert await init(database_url, {})


async def test_a_length_follows_and_none_is_left_alone(database_url: str) -> None:
    change = TYPE_CHANGES[3]
    wider = "ALTER COLUMN {} TYPE varchar(8)"
    async with app_on(database_url) as app:
        await app.run(change.tables)
        async with make_runtime(database_url) as runtime:
            await app.run("ALTER TABLE conservator.work ALTER COLUMN user_id TYPE varchar")
            assert await findings(runtime) == []
            await app.run(f"ALTER TABLE users {wider.format('id')}")
            await app.run(f"ALTER TABLE user_art_impressions {wider.format('user_id')}")
            [finding] = await findings(runtime)
            assert "character varying(4), should be character varying(8)" in finding.problem
            assert "work.user_id" not in finding.problem
            assert await init(database_url, {})
            assert await findings(runtime) == []
