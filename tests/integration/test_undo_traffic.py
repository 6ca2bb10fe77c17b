"""Taking back while the app writes, and at the price of a few index probes a row."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from functools import partial
from typing import Any

import pytest

from monitor.database import set_local, transaction
from monitor.state.runs import RunState
from tests.support.app import App, app_on
from tests.support.healing import heal, paced, planted
from tests.support.ledger_audit import start_audit
from tests.support.undoing import (
    MATCHING,
    UPSERT,
    assert_undo_is_booked,
    heal_what_is_missing,
    listed,
    undo,
)
from tests.support.waiting import wait_until
from tests.support.writers import Writers

pytestmark = pytest.mark.prepared


async def test_a_view_that_is_not_yet_committed_is_waited_for_and_spared(
    app_database_url: str,
) -> None:
    slow: dict[str, Any] = {"database": {"lock_timeout": "30s"}}
    async with (
        planted(app_database_url, users=3, artworks=5, **slow) as (app, runtime),
        app_on(app_database_url) as visitor,
    ):
        run = (await heal(runtime)).run
        await visitor.run("BEGIN")
        await visitor.run(UPSERT, user="u0002", artwork="old0003")
        undoing = asyncio.create_task(undo(runtime, run.id))
        await wait_until(partial(somebody_waits, app))
        await visitor.run("COMMIT")
        ended = (await undoing).run
        assert (ended.state, ended.inserted) == (RunState.SUCCEEDED, 14)
        left = "SELECT user_id, artwork_id FROM {} WHERE artwork_id LIKE 'old%%' AND %(x)s"
        for table in ("user_art_impressions", "conservator.backfilled_impression"):
            assert await app.rows(left.format(table), x=True) == [("u0002", "old0003")]


async def somebody_waits(app: App) -> bool:
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"
    return bool(await app.value(waiting))


async def test_among_writers_nothing_is_deleted_but_what_the_ledger_lists_untouched(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=30, artworks=60, **paced(40)) as (app, runtime):
        run = (await heal(runtime)).run
        ledger = Counter(row[1:] for row in await listed(app))
        await start_audit(app)
        async with Writers(app_database_url) as writers:
            await wait_until(lambda: writers.have_written(20))
            ended = (await undo(runtime, run.id)).run
            during = writers.writes
        assert during > 50
        assert ended.state is RunState.SUCCEEDED, ended.outcome
        assert ended.inserted > 100
        ours = await app.rows("SELECT DISTINCT tab, op FROM audit WHERE who = 'conservator'")
        assert ours == [("user_art_impressions", "DELETE")]
        deleted = Counter(
            await app.rows(
                "SELECT user_id, artwork_id, viewed_at::text FROM audit WHERE who = 'conservator'"
            )
        )
        assert deleted <= ledger
        assert deleted.total() == ended.inserted
        assert await app.value(MATCHING) == 0
        # What is still listed was touched by the app before we came, or is gone by now.
        kept = {row[1:] for row in await listed(app)}
        touched = await app.rows(
            "SELECT user_id, artwork_id FROM audit WHERE who = 'app' AND op <> 'INSERT'"
            " AND tab = 'user_art_impressions'"
        )
        assert {row[:2] for row in kept} <= set(touched)
        await assert_undo_is_booked(app, ended.id)


async def test_a_batch_probes_its_rows_by_index_whatever_the_planner_believes(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=60, artworks=100) as (app, runtime):
        run = (await heal(runtime)).run
        await app.run("ANALYZE user_art_impressions, conservator.backfilled_impression")
        await app.run(_NOTE_SETTINGS)
        await undo(runtime, run.id)
        settings_seen = "SELECT DISTINCT hash, merge FROM seen"
        assert await app.rows(settings_seen) == [("off", "off")]
        # Nothing of it outlives its transaction, which PgBouncer may give to somebody else.
        async with transaction(runtime.engine, timeout=runtime.settings.lease) as connection:
            left = await connection.exec_driver_sql("SHOW enable_hashjoin")
            assert left.scalar_one() == "on"
            await heal_what_is_missing(runtime)
            await set_local(connection, enable_hashjoin="off", enable_mergejoin="off")
            for begun in (False, True):
                explained = await connection.exec_driver_sql(
                    "EXPLAIN " + runtime.healing.over_ledger("undo_batch", begun=begun),
                    {"undoes": 3, "user_cursor": "u", "artwork_cursor": "o", "limit": 1000},
                )
                plan = "\n".join(line for (line,) in explained)
                assert "Seq Scan" not in plan
                assert re.search(r"Index Cond: \(+run_id = ", plan)


_NOTE_SETTINGS = """
CREATE TABLE seen (hash text, merge text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO seen SELECT current_setting('enable_hashjoin'), current_setting('enable_mergejoin');
    RETURN NULL;
END $$;
CREATE TRIGGER note BEFORE DELETE ON user_art_impressions
    FOR EACH STATEMENT EXECUTE FUNCTION note();
"""
