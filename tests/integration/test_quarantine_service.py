"""A service with pairs in quarantine: it heals the rest, says so, and starts nothing over it."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.commands import UserBackfill
from monitor.policy.decision import Code
from tests.support.app import app_on
from tests.support.commands import on_one_server
from tests.support.ledger_audit import assert_records_agree
from tests.support.poison import RAISED, a_day_passes, missing, quarantined
from tests.support.services import service_on
from tests.support.waiting import wait_until

pytestmark = [on_one_server, pytest.mark.prepared]

# In batches as large as a service makes them.
HEALS: dict[str, Any] = {"lease": "2s", "pace": {"duty": "100%"}}


async def test_a_poison_pair_starts_one_run_and_after_a_day_another(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await app.plant(users=4, artworks=6)
        await RAISED.build(app, [("u0002", "old0003"), ("u0003", "old0001")])
        async with service_on(app_database_url, **HEALS) as service:

            async def rests_after(run: int) -> bool:
                """The run has ended, and three censuses since have changed nothing."""
                return bool(
                    await app.value(
                        "SELECT count(*) >= 3 FROM conservator.decision AS d"
                        " JOIN conservator.run AS r ON r.id = %(run)s"
                        " WHERE d.decided_at > r.finished_at AND d.code = 'clean'"
                        " AND r.id = (SELECT max(id) FROM conservator.run)",
                        run=run,
                    )
                )

            await wait_until(lambda: rests_after(1))
            await wait_until(lambda: service.board.current.quarantined == 2)
            status = service.board.current
            assert status.decision is not None
            assert status.decision.code is Code.CLEAN
            assert "all in quarantine; the first is tried again at" in status.decision.reason
            assert status.census is not None
            assert status.census.legacy_untracked == 2
            assert not status.control.breaker_open
            shown = await service.commands.quarantine(1)
            assert {(pair.user_id, pair.artwork_id) for pair in shown} == await missing(app)
            await app.run("DELETE FROM poison WHERE user_id = 'u0002'")
            await a_day_passes(app)
            await wait_until(lambda: rests_after(2))
            await wait_until(lambda: service.board.current.quarantined == 1)
            assert await missing(app) == {("u0003", "old0001")} == set(await quarantined(app))
            assert not service.board.current.control.breaker_open
        await assert_records_agree(app)


async def test_a_users_backfill_leaves_out_what_can_not_be_written(app_database_url: str) -> None:
    async with (
        app_on(app_database_url) as app,
        service_on(app_database_url, mode="observe", **HEALS) as service,
    ):
        await app.plant(users=2, artworks=6)
        await RAISED.build(app, [("u0001", "old0003")])
        assert await service.commands.would_backfill_user("u0001") == 6
        done = await service.commands.backfill_user("u0001", force=False)
        assert done == UserBackfill(updated=5, run_id=1, skipped=False)
        again = await service.commands.backfill_user("u0001", force=True)
        assert again == UserBackfill(updated=0, run_id=None, skipped=False)
        assert await service.commands.would_backfill_user("u0001") == 0
        assert set(await quarantined(app)) == {("u0001", "old0003")}
