"""`init` on Citus: what is made where, and how settings reach the nodes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from checks.citus.cluster import Cluster, Distribution, DistributionMethod, Ledger
from checks.citus.forms import on_citus
from checks.citus.nodes import on_nodes
from checks.relations import Engine
from monitor.cli.explain import forced, statements
from monitor.database import set_local
from monitor.healing.verification import MOST_RECOUNTS, Recount, recount_until_two_agree
from monitor.state import following, schema
from tests.support.app import app_on
from tests.support.databases import EMPTY, cloned
from tests.support.healing import heal, make_runtime, planted
from tests.support.open_schema import run
from tests.support.postgres import PostgresServer


@pytest.fixture
def url(server: PostgresServer) -> Iterator[str]:
    with cloned(server, EMPTY) as made:
        yield made


async def test_the_script_spreads_the_ledger_beside_the_impressions_and_nothing_else(
    app_database_url: str,
) -> None:
    async with make_runtime(app_database_url) as runtime:
        catalogue = on_citus(runtime.catalogue)
        script = schema.script(catalogue, "conservator")
        assert script.count("create_distributed_table(") == 1
        assert (
            "create_distributed_table('\"conservator\".\"backfilled_impression\"', 'user_id',"
            ' colocate_with => \'"public"."user_art_impressions"\')'
        ) in script
        grants = schema.grants(catalogue, "conservator", ())
        assert 'ON "conservator".backfilled_impression TO "conservator_healer"' in grants
        plain = schema.script(runtime.catalogue, "conservator")
        plain += schema.grants(runtime.catalogue, "conservator", ())
        assert "distributed_table" not in plain
        assert "Citus" not in plain


async def test_a_spread_ledger_is_gathered_before_its_types_follow_and_spread_again(
    app_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Citus changes no column by which it spreads a table."""

    async def is_spread(*_: object) -> Ledger:
        return Ledger(True, Distribution(DistributionMethod.HASH, "user_id", 1))

    async with app_on(app_database_url) as app, make_runtime(app_database_url) as runtime:
        catalogue = replace(on_citus(runtime.catalogue), cluster=Cluster("13.2", 0))
        monkeypatch.setattr(following, "read_ledger", is_spread)
        async with runtime.transaction() as connection:
            assert await following.missing_changes(connection, catalogue, "conservator") == ()
            await app.run("ALTER TABLE conservator.work ALTER COLUMN user_id TYPE text")
            [apart] = await following.missing_changes(connection, catalogue, "conservator")
            assert apart.startswith('ALTER TABLE "conservator"."work"')
            await app.run(
                "ALTER TABLE conservator.backfilled_impression ALTER COLUMN user_id TYPE text"
            )
            changes = await following.missing_changes(connection, catalogue, "conservator")
        script = schema.script(catalogue, "conservator", schema.CURRENT, changes)
        places = [
            script.index(part)
            for part in (
                'undistribute_table(\'"conservator"."backfilled_impression"\')',
                'ALTER TABLE "conservator"."backfilled_impression"',
                "COMMIT",
                "create_distributed_table(",
            )
        ]
        assert places == sorted(places)


def test_settings_are_passed_on_by_set_local_and_commits_wait_for_the_disk() -> None:
    commands = on_nodes(
        {
            "lock_timeout": "500ms",
            "statement_timeout": "60000ms",
            "synchronous_commit": "off",
            "transaction_read_only": "on",
            # A node that waits for a slow one is no client that has gone away.
            "idle_in_transaction_session_timeout": "10000ms",
        }
    )
    assert commands == [
        "SET LOCAL citus.propagate_set_commands = 'local'",
        "SET LOCAL lock_timeout = '500ms'",
        "SET LOCAL statement_timeout = '60000ms'",
        "SET LOCAL synchronous_commit TO DEFAULT",
    ]


async def test_without_citus_nothing_is_passed_on(url: str) -> None:
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        async with connection.begin():
            await set_local(connection, lock_timeout="500ms")
            passed = "SELECT current_setting('citus.propagate_set_commands', true)"
            assert (await connection.exec_driver_sql(passed)).scalar_one() is None
            shown = await connection.exec_driver_sql("SHOW lock_timeout")
            assert shown.scalar_one() == "500ms"
        # The extension's table is all that is looked for; any superuser may make one like it.
        async with connection.begin() as transaction:
            await run(connection, "SET LOCAL allow_system_table_mods = on")
            await run(connection, "CREATE TABLE pg_catalog.pg_dist_partition ()")
            await set_local(connection, lock_timeout="400ms")
            assert (await connection.exec_driver_sql(passed)).scalar_one() == "local"
            shown = await connection.exec_driver_sql("SHOW lock_timeout")
            assert shown.scalar_one() == "400ms"
            await transaction.rollback()
    await engine.dispose()


async def test_the_other_engines_statements_can_be_printed(app_database_url: str) -> None:
    async with make_runtime(app_database_url) as runtime:
        own = statements(runtime)
        citus = statements(forced(runtime, Engine.CITUS))
        assert statements(forced(runtime, Engine.POSTGRESQL)) == own
        assert "LATERAL" in own["batch_insert"]
        assert "LATERAL" not in citus["batch_insert"]
        assert "census_by_probe" in own
        assert "census_by_probe" not in citus


@pytest.mark.parametrize(
    ("counts", "expected"), [([0, 0], 0), ([0, 3, 3], 3), ([3, 0, 0], 0), ([1, 2, 1, 2, 1], 2)]
)
async def test_a_run_on_citus_is_over_when_two_counts_agree(
    app_database_url: str, counts: list[int], expected: int
) -> None:
    async with planted(app_database_url, users=1, artworks=1, citus=True) as (_, runtime):
        done = (await heal(runtime)).run
        given = [*counts]

        async def count() -> Recount:
            return Recount(done, given.pop(0), None, None)

        assert (await recount_until_two_agree(count)).remaining == expected
        assert given == []
        assert len(counts) <= MOST_RECOUNTS
