"""What is forgotten, and what never is: history by its age, the ledger with its impressions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.statements import render
from monitor.database import transaction
from monitor.replicas.retention import forget_erased, sweep_ledger
from monitor.runtime import Runtime
from monitor.state import history
from monitor.state.runs import Run, Trigger
from monitor.state.schema import PACKAGE
from tests.support.app import App
from tests.support.healing import claimed, heal, heal_until, plan, planted, working
from tests.support.ledger_audit import assert_ledger_is_there
from tests.support.poison import RAISED, quarantined

pytestmark = pytest.mark.prepared

LEDGER = "SELECT count(*) FROM conservator.backfilled_impression"


async def agree(_: AsyncConnection) -> None:
    """Leads."""


async def prune_history(runtime: Runtime, days: int) -> None:
    async with transaction(runtime.engine, timeout=timedelta(seconds=10)) as connection:
        await history.prune(connection, runtime.state, timedelta(days=days))


async def age(app: App, run: int) -> None:
    await app.run(
        "UPDATE conservator.run SET finished_at = now() - interval '91 days' WHERE id = %(id)s",
        id=run,
    )


async def test_the_ledger_forgets_impressions_that_are_gone_and_no_others(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=6, artworks=10) as (app, runtime):
        await heal(runtime)
        assert await sweep_ledger(runtime, agree) == 0
        await app.run("DELETE FROM users WHERE id = 'u0002'")
        await app.run("DELETE FROM art_sessions WHERE id IN ('old0001', 'old0010')")
        # Seen again: real now, and still what an undo must look at.
        await app.run("UPDATE user_art_impressions SET viewed_at = now() WHERE user_id = 'u0003'")
        assert await sweep_ledger(runtime, agree, step=7) == 60 - 5 * 8
        assert await app.value(LEDGER) == 5 * 8
        assert await app.value(LEDGER + " WHERE user_id = 'u0002'") == 0
        assert await app.value(LEDGER + " WHERE user_id = 'u0003'") == 8


async def test_a_sweep_goes_on_where_it_was_and_begins_again_at_the_end(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=3, artworks=10) as (app, runtime):
        await heal(runtime)
        await app.run("DELETE FROM art_sessions WHERE id LIKE 'old%'")
        found = [await sweep_ledger(runtime, agree, step=12, seconds=0) for _ in range(3)]
        assert found == [12, 12, 6]
        assert await app.rows("SELECT run_id, user_id FROM conservator.ledger_sweep") == [(0, None)]


async def test_what_a_run_under_way_has_written_is_its_own(app_database_url: str) -> None:
    async with planted(
        app_database_url, users=3, artworks=10, healing={"pace": {"max_batch": 10}}
    ) as (app, runtime):
        held = await heal_until(runtime, await plan(runtime), batches=1)
        await app.run("DELETE FROM art_sessions WHERE id = 'old0001'")
        assert await sweep_ledger(runtime, agree) == 0
        await working(runtime, await claimed(runtime, held.run.id))
        assert await sweep_ledger(runtime, agree) == 1
        await assert_ledger_is_there(app)


async def test_a_step_of_the_sweep_costs_the_same_however_long_the_ledger_is(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=400, artworks=100) as (app, runtime):
        await heal(runtime)
        await app.run("ANALYZE user_art_impressions, conservator.backfilled_impression")
        text = render(PACKAGE, "ledger_sweep", runtime.state.fragments)
        async with transaction(runtime.engine, timeout=timedelta(seconds=30)) as connection:
            found = await connection.exec_driver_sql(
                "EXPLAIN (FORMAT json) " + text,
                {"run_id": 1, "user_id": "u0100", "artwork_id": "old0050", "limit": 1000}
                | {"elsewhere": []},
            )
            ((planned,),) = found.all()
        assert scans(planned[0]["Plan"]) >= {
            ("Index Scan", "backfilled_impression"),
            ("Tid Scan", "backfilled_impression"),
        }
        reads = {node for node, table in scans(planned[0]["Plan"]) if table != "run"}
        assert reads <= {"Index Scan", "Index Only Scan", "Tid Scan", "ModifyTable"}


def scans(plan: dict[str, Any]) -> set[tuple[str, str]]:
    """How the plan reads each table."""
    here = {(plan["Node Type"], plan["Relation Name"])} if "Relation Name" in plan else set()
    return here.union(*map(scans, plan.get("Plans", ())))


@pytest.mark.parametrize("runs_a_trip", [1, 1000])
async def test_history_goes_by_its_age_and_a_run_stays_as_long_as_its_ledger(
    app_database_url: str, monkeypatch: pytest.MonkeyPatch, runs_a_trip: int
) -> None:
    monkeypatch.setattr(history, "_RUNS_A_TRIP", runs_a_trip)
    async with planted(app_database_url, users=3, artworks=4) as (app, runtime):
        first = (await heal(runtime)).run.id
        await app.run(
            "INSERT INTO art_sessions (id, session_id, image_url, created_at)"
            " VALUES ('older', 's', '/', timezone('UTC', now()) - interval '20 days')"
        )
        second = (await heal(runtime)).run.id
        for run in (first, second):
            await age(app, run)
            await app.run(
                "INSERT INTO conservator.run_wait VALUES (%(id)s, 'duty', 1)"
                " ON CONFLICT DO NOTHING",
                id=run,
            )
        await app.run("DELETE FROM art_sessions WHERE id = 'older'")
        await sweep_ledger(runtime, agree)
        await prune_history(runtime, 92)
        assert await app.value("SELECT count(*) FROM conservator.run") == 2
        await prune_history(runtime, 90)
        assert await app.rows("SELECT id FROM conservator.run") == [(first,)]
        assert await app.value("SELECT count(*) FROM conservator.batch") == 0
        assert await app.rows("SELECT run_id FROM conservator.run_wait") == [(first,)]
        assert await app.value(LEDGER) == 12


async def test_nothing_is_left_of_a_user_that_the_app_has_erased(app_database_url: str) -> None:
    async with planted(app_database_url, users=3, artworks=4) as (app, runtime):
        await RAISED.build(app, [("u0002", "old0001"), ("u0003", "old0001")])
        for user in ("u0002", "u0003"):
            run_owner = runtime.run_owner(Trigger.API)
            run = await runtime.planner.plan_user(run_owner, user, reason="a test", force=False)
            assert isinstance(run, Run)
            await working(runtime, run)
        await app.run("DELETE FROM users WHERE id = 'u0002'; DROP TABLE poison CASCADE")
        await forget_erased(runtime, agree)
        await sweep_ledger(runtime, agree)
        assert set(await quarantined(app)) == {("u0003", "old0001")}
        for (table,) in await app.rows(
            "SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables"
            " WHERE table_schema = 'conservator' AND table_name NOT LIKE 'tally%'"
        ):
            found = await app.value(
                f"SELECT count(*) FROM {table} AS t WHERE t::text LIKE '%u0002%'"
            )
            assert found == 0, table
        assert await app.rows("SELECT user_id FROM conservator.backfilled_user") == [("u0003",)]
        assert await app.rows("SELECT subject FROM conservator.run ORDER BY id") == [
            (None,),
            ("u0003",),
        ]
