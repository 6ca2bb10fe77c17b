"""A service beside repairs: it takes up what was left, and counts deletions as no loss."""

from __future__ import annotations

from datetime import timedelta

from monitor.runtime import Runtime
from monitor.service.service import Service
from monitor.state.history import prune
from monitor.state.runs import RunState
from tests.support.app import App, app_on
from tests.support.commands import on_one_server
from tests.support.healing import heal, make_runtime, service_settings
from tests.support.repairing import (
    begin_undo,
    configured,
    mend,
    plan_repair,
    put_down,
    take_back,
    taken_up,
)
from tests.support.services import EAGER, QUICK, running
from tests.support.waiting import wait_until

pytestmark = on_one_server

OLD = configured(
    "old",
    table="user_art_impressions",
    find="SELECT id FROM user_art_impressions WHERE version = 9",
    action="delete",
)


async def states(app: App) -> list[tuple[str, str, int]]:
    return await app.rows("SELECT repair, state, inserted FROM conservator.run ORDER BY id")


async def test_a_repair_and_its_undo_that_were_left_are_taken_up_by_the_service(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await app.plant(users=9, artworks=0)
        await app.run("UPDATE user_art_impressions SET version = 9 WHERE user_id > 'u0003'")
        first = await app.fingerprint("user_art_impressions")
        config = {"repairs": [OLD], "healing": EAGER, "checks": QUICK}
        async with make_runtime(app_database_url, repairs=[OLD]) as runtime:
            await plan_repair(runtime, "old")
            await app.run("UPDATE conservator.run SET state = 'held'")
        settings = await service_settings(app_database_url, **config)

        async def has_ended() -> bool:
            return all(state == "succeeded" for _, state, _ in await states(app))

        async with running(Service(settings)):
            await wait_until(has_ended)
            assert await states(app) == [("old", "succeeded", 6)]
        async with make_runtime(app_database_url, repairs=[OLD]) as runtime:
            undone = await take_back(runtime, 1)
            assert undone is not None
            assert (undone.run.state, undone.run.inserted) == (RunState.SUCCEEDED, 6)
        assert await app.fingerprint("user_art_impressions") == first


async def test_impressions_that_a_repair_deletes_are_no_loss_until_they_are_given_back(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await app.plant(users=9, artworks=0)
        await app.run("UPDATE user_art_impressions SET version = 9 WHERE user_id > 'u0003'")
        async with make_runtime(app_database_url, repairs=[OLD]) as runtime:

            async def excused(since: object) -> int:
                async with runtime.transaction() as connection:
                    found = await runtime.state.run(connection, "tally_undone", {"since": since})
                    return int(found.scalar_one())

            since = await app.value("SELECT now() - interval '1 hour'")
            done = (await mend(runtime, "old")).run
            assert done.inserted == 6
            assert await excused(since) == 6
            await app.run("UPDATE conservator.batch SET started_at = now() - interval '30 minutes'")
            between = await app.value("SELECT now() - interval '10 minutes'")
            await take_back(runtime, done.id)
            assert await excused(since) == 0
            # What was deleted before that was not missed then, nor is it now that it is back.
            assert await excused(between) == 0


async def test_what_a_repair_deletes_is_no_sign_that_recording_is_broken(
    app_database_url: str,
) -> None:
    """Behind a verified cutoff it would count as appeared."""
    async with app_on(app_database_url) as app:
        await app.plant(users=6, artworks=10)
        await app.run(
            "CREATE TABLE apart AS SELECT 1 AS id; ALTER TABLE apart ADD PRIMARY KEY (id)"
        )
        old = {**OLD, "find": "SELECT id FROM user_art_impressions WHERE artwork_id = 'old0003'"}
        other = configured("other", table="apart", find="SELECT id FROM apart", action="delete")
        async with make_runtime(app_database_url, repairs=[old, other]) as runtime:
            await heal(runtime)
            verified = "SELECT verified_until IS NOT NULL FROM conservator.control"
            assert await app.value(verified)
            await mend(runtime, "other")
            assert await app.value(verified)
            done = (await mend(runtime, "old")).run
            assert done.inserted == 6
            assert not await app.value(verified)


async def test_a_ledger_stays_until_the_undo_that_was_begun_has_ended(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await app.plant(users=9, artworks=0)
        await app.run("UPDATE user_art_impressions SET version = 9 WHERE user_id > 'u0003'")
        first = await app.fingerprint("user_art_impressions")
        async with make_runtime(app_database_url, repairs=[OLD]) as runtime:
            done = (await mend(runtime, "old")).run
            _, undo = await begin_undo(runtime, done.id)
            await put_down(app)
            await app.run("UPDATE conservator.run SET finished_at = '2020-01-01' WHERE id = 1")
            await forget(runtime)
            assert await app.value("SELECT count(*) FROM conservator.repaired_row") == 6
            assert (await taken_up(runtime, undo.id)).inserted == 6
            assert await app.fingerprint("user_art_impressions") == first
            await forget(runtime)
            assert await app.value("SELECT count(*) FROM conservator.run WHERE id = 1") == 0


async def forget(runtime: Runtime) -> None:
    async with runtime.transaction() as connection:
        await prune(connection, runtime.state, timedelta(days=90))
