"""An undo that begins and ends between a decision and its plan is not done again by that plan."""

from __future__ import annotations

import pytest

from monitor.healing.errors import SuspendedError
from monitor.run_tools import plan_repair
from monitor.state.control import suspend
from monitor.state.repairs import suspend_repair
from monitor.state.runs import Trigger
from tests.support.app import app_on
from tests.support.commands import on_one_server
from tests.support.healing import make_runtime
from tests.support.repairing import MISSPELT, TIERS, tools_of

pytestmark = on_one_server


async def test_no_plan_is_made_for_what_was_suspended_since_it_was_decided(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await app.plant(users=4, artworks=5)
        await app.run(MISSPELT)
        async with make_runtime(app_database_url, repairs=[TIERS]) as runtime:
            tools, (repair,) = await tools_of(runtime, "tiers"), runtime.settings.repairs
            async with runtime.transaction() as connection:
                await suspend(connection, runtime.state, "run 1 was taken back")
                await suspend_repair(connection, runtime.state, "tiers", "run 2 was taken back")
            with pytest.raises(SuspendedError, match="run 1 was taken back"):
                await runtime.plan_audience(Trigger.SCHEDULE, reason="a test", max_rows=9)
            with pytest.raises(SuspendedError, match="run 2 was taken back"):
                await plan_repair(tools, repair, Trigger.SCHEDULE, reason="a test")
            # A person may start it.
            assert await plan_repair(tools, repair, Trigger.API, reason="a test") is not None
