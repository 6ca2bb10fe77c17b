"""Healing where a replica is expected and gone, and where none is there at all."""

from __future__ import annotations

import pytest

from monitor.state.runs import RunState
from tests.support.app import App, app_on
from tests.support.databases import APP, cloned, create_app_template
from tests.support.healing import (
    heal,
    make_runtime,
    plan,
    planted,
    wait_until_counted,
    wait_until_waiting,
    working,
)
from tests.support.ledger_audit import assert_records_agree
from tests.support.postgres import PostgresServer
from tests.support.replicas import replica_of
from tests.support.roles import may_heal
from tests.support.waiting import wait_until

pytestmark = pytest.mark.prepared

EXPECTING = {"pace": {"max_batch": 30, "expected_replicas": 1}}


async def test_a_run_waits_for_a_replica_that_was_killed_until_it_is_back(
    app_database_url: str, server: PostgresServer
) -> None:
    async with planted(
        app_database_url, users=10, artworks=30, watches=True, healing=EXPECTING
    ) as (app, runtime):
        with replica_of(server, "doomed") as doomed:
            run = await plan(runtime)
            await wait_until_following(app, "doomed")
            doomed.kill()
            await wait_until_following(app)
            task = working(runtime, run)
            await wait_until_waiting(app, "0 of 1 expected replicas are connected.")
            await wait_until_counted(app, "replica_missing")
            assert await app.value("SELECT inserted FROM conservator.run") == 0
            doomed.restart()
            ended = await task
        assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 300)
        await assert_records_agree(app)


async def wait_until_following(app: App, *names: str) -> None:
    async def are_following() -> bool:
        found = await app.rows(
            "SELECT application_name FROM pg_stat_replication WHERE state = 'streaming'"
        )
        return {name for (name,) in found} == set(names)

    await wait_until(are_following)


async def test_a_role_that_may_not_see_the_lag_heals_where_there_is_no_replica(
    own_server: PostgresServer,
) -> None:
    create_app_template(own_server)
    with cloned(own_server, APP) as url:
        async with app_on(url) as app, may_heal(url, app) as healer:
            await app.plant(users=3, artworks=10)
            async with make_runtime(healer) as runtime:
                ended = await heal(runtime)
            assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 30)
