"""Pairs that can't be written are put aside, each with its error, and everything else is healed."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from monitor.state.runs import RunState
from tests.support.app import App
from tests.support.healing import (
    heal,
    paced,
    planted,
    working,
)
from tests.support.ledger_audit import (
    assert_exactly_healed,
    assert_ledger_is_there,
    assert_records_agree,
    start_audit,
)
from tests.support.poison import (
    POISONS,
    RAISED,
    THREE,
    Poison,
    a_day_passes,
    heal_by_schedule,
    missing,
    quarantined,
    scheduled,
)

pytestmark = pytest.mark.prepared


async def verified(app: App) -> bool:
    return bool(await app.value("SELECT verified_until IS NOT NULL FROM conservator.control"))


@pytest.mark.parametrize("poison", POISONS, ids=lambda poison: poison.name)
async def test_exactly_the_refused_pairs_are_put_aside_and_the_run_goes_on_behind_them(
    app_database_url: str, poison: Poison
) -> None:
    async with planted(app_database_url, users=5, artworks=8) as (app, runtime):
        await start_audit(app)
        await poison.build(app, THREE)
        ended = await heal(runtime)
        assert (ended.run.state, ended.run.inserted) == (RunState.PARTIAL, 5 * 8 - 3)
        assert (ended.run.remaining, ended.run.quarantined, ended.run.pass_) == (0, 3, 1)
        found = await quarantined(app)
        assert set(found) == set(THREE) == await missing(app)
        assert {(n, error[:7]) for n, error in found.values()} == {(1, f"{poison.state}: ")}
        assert "3 pairs could not be written and are in quarantine" in ended.run.outcome
        assert poison.state in ended.run.outcome
        assert await verified(app)
        await assert_exactly_healed(app)


async def test_what_a_conversion_quotes_is_not_kept(app_database_url: str) -> None:
    async with planted(app_database_url, users=1, artworks=2) as (app, runtime):
        secret = Poison("", "22P02", "PERFORM 'somebody@example.org'::int")
        await secret.build(app, [("u0001", "old0001")])
        await heal(runtime)
        ((_, error),) = (await quarantined(app)).values()
        assert error == "22P02: invalid input syntax for type integer"


@pytest.mark.parametrize("seed", range(8))
async def test_any_set_of_pairs_may_be_refused_at_any_size(
    app_database_url: str, seed: int
) -> None:
    luck = random.Random(seed)
    users, artworks = luck.randint(1, 6), luck.randint(1, 9)
    async with planted(
        app_database_url, users=users, artworks=artworks, **paced(luck.choice((1, 2, 7, 1000)))
    ) as (app, runtime):
        pairs = sorted(await missing(app))
        refused = set(luck.sample(pairs, luck.randint(0, len(pairs))))
        await RAISED.build(app, refused)
        ended = await heal(runtime)
        state = RunState.PARTIAL if refused else RunState.SUCCEEDED
        assert (ended.run.state, ended.run.inserted) == (state, len(pairs) - len(refused))
        assert set(await quarantined(app)) == refused == await missing(app)
        assert await scheduled(runtime) is None
        await assert_records_agree(app)
        await assert_ledger_is_there(app)
        cured = set(luck.sample(sorted(refused), len(refused) // 2))
        for user, artwork in cured:
            await app.run(
                "DELETE FROM poison WHERE user_id = %(u)s AND artwork_id = %(a)s",
                u=user,
                a=artwork,
            )
        await a_day_passes(app)
        if refused:
            again = await heal_by_schedule(runtime)
            assert (again.run.planned_rows, again.run.inserted) == (len(refused), len(cured))
        assert set(await quarantined(app)) == refused - cured == await missing(app)
        assert {n for n, _ in (await quarantined(app)).values()} <= {2}
        await assert_records_agree(app)


async def test_put_aside_pairs_are_left_alone_for_a_day_while_others_are_healed(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=5, artworks=8) as (app, runtime):
        await RAISED.build(app, THREE)
        await heal(runtime)
        assert await scheduled(runtime) is None
        await app.run(
            "INSERT INTO art_sessions (id, session_id, image_url, created_at)"
            " VALUES ('older', 's', '/', timezone('UTC', now()) - interval '20 days')"
        )
        ended = await heal_by_schedule(runtime)
        run = ended.run
        assert (run.state, run.inserted, run.quarantined) == (RunState.SUCCEEDED, 5, 0)
        assert (run.planned_rows, run.aside, run.legacy_before, run.remaining) == (5, 3, 8, 0)
        assert {n for n, _ in (await quarantined(app)).values()} == {1}
        assert await app.value(
            "SELECT verified_until = legacy_until FROM conservator.control, conservator.run"
            " WHERE id = %(id)s",
            id=run.id,
        )
        retry = await app.value("SELECT min(retry_at - last_at) FROM conservator.quarantine")
        assert retry == timedelta(days=1)


async def test_after_a_refused_pair_the_size_of_batches_is_back_by_doubling(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=10, artworks=8, **paced(16)) as (app, runtime):
        await RAISED.build(app, THREE[:1])
        with capture_logs() as events:
            await heal(runtime)
        batches = await app.rows("SELECT size, size_reason FROM conservator.batch ORDER BY number")
        single = batches.index((1, "refused"))
        assert batches[single:][:5] == [
            (1, "refused"),
            (2, "refused"),
            (4, "refused"),
            (8, "refused"),
            (16, "first"),
        ]
        assert {size for size, why in batches if why == "first"} == {16}
        assert not [event for event in events if event["event"] == "batch_size_changed"]


async def test_a_capped_run_plans_what_can_be_written(app_database_url: str) -> None:
    # Two rows a batch: the user whom the plan takes in part gets the places of those put aside.
    async with planted(app_database_url, users=5, artworks=8, **paced(2)) as (app, runtime):
        await RAISED.build(app, THREE)
        first = await heal(runtime, max_rows=20)
        assert (first.run.inserted, first.run.quarantined) == (20, 2)
        assert not await verified(app)
        run = await scheduled(runtime, max_rows=10)
        assert run is not None
        assert (run.planned_rows, run.aside) == (10, 2)
        ended = await working(runtime, run)
        assert ended.run.inserted <= 10
        await heal_by_schedule(runtime)
        assert await missing(app) == set(THREE) == set(await quarantined(app))
        assert await verified(app)
        await assert_records_agree(app)
