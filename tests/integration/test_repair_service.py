"""A service beside repairs: it takes up what was left, and counts deletions as no loss."""

from __future__ import annotations

from monitor.service.service import Service
from monitor.state.runs import RunState
from tests.support.app import App, app_on
from tests.support.commands import on_one_server
from tests.support.healing import make_runtime, service_settings
from tests.support.repairing import configured, mend, plan_repair, take_back
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


async def test_impressions_that_a_repair_deletes_are_no_loss(app_database_url: str) -> None:
    async with app_on(app_database_url) as app:
        await app.plant(users=9, artworks=0)
        await app.run("UPDATE user_art_impressions SET version = 9 WHERE user_id > 'u0003'")
        async with make_runtime(app_database_url, repairs=[OLD]) as runtime:
            since = await app.value("SELECT now() - interval '1 hour'")
            done = (await mend(runtime, "old")).run
            assert done.inserted == 6
            async with runtime.transaction() as connection:
                undone = await runtime.state.run(connection, "tally_undone", {"since": since})
                assert undone.scalar_one() == 6
            await take_back(runtime, done.id)
            async with runtime.transaction() as connection:
                undone = await runtime.state.run(connection, "tally_undone", {"since": since})
                assert undone.scalar_one() == 6
