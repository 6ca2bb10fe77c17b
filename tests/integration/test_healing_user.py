"""The backfill of one user: once, unless forced."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from checks.errors import UnknownUserError
from monitor.commands import UserBackfill
from monitor.healing.errors import PausedError, RunHeldError
from monitor.service.service import Service
from tests.support.app import App, app_on
from tests.support.healing import heal, planted, service_settings
from tests.support.ledger_audit import assert_ledger_is_there, assert_records_agree
from tests.support.services import running

pytestmark = pytest.mark.prepared

_LOSE = "DELETE FROM user_art_impressions WHERE user_id = %(user)s AND artwork_id LIKE 'old%%'"


@asynccontextmanager
async def idle_service_on(url: str, **config: object) -> AsyncIterator[Service]:
    """A service that only does what it is asked for."""
    quiet = {"census": {"enabled": False}, "structure": {"enabled": False}}
    async with running(Service(await service_settings(url, checks=quiet, **config))) as service:
        yield service


async def flag(app: App, user: str) -> list[tuple[object, ...]]:
    return await app.rows(
        "SELECT run_id, inserted FROM conservator.backfilled_user WHERE user_id = %(user)s",
        user=user,
    )


async def test_a_user_is_backfilled_once_and_again_only_when_forced(app_database_url: str) -> None:
    async with app_on(app_database_url) as app, idle_service_on(app_database_url) as service:
        await app.plant(users=3, artworks=6)
        first = await service.commands.backfill_user("u0001", force=False)
        assert first == UserBackfill(updated=6, run_id=1, skipped=False)
        assert await flag(app, "u0001") == [(1, 6)]
        await app.run(_LOSE, user="u0001")
        again = await service.commands.backfill_user("u0001", force=False)
        assert again == UserBackfill(updated=0, run_id=1, skipped=True)
        forced = await service.commands.backfill_user("u0001", force=True)
        assert forced == UserBackfill(updated=6, run_id=2, skipped=False)
        assert await flag(app, "u0001") == [(2, 12)]
        assert await app.value("SELECT count(DISTINCT user_id) FROM user_art_impressions") == 3
        assert (
            await app.value(
                "SELECT count(*) FROM user_art_impressions WHERE artwork_id LIKE 'old%'"
            )
            == 6
        )


async def test_a_user_outside_the_audience_is_healed_and_then_belongs_to_it(
    app_database_url: str,
) -> None:
    async with (
        planted(app_database_url, users=1, artworks=6, untracked=1) as (app, runtime),
        idle_service_on(app_database_url) as service,
    ):
        assert (await heal(runtime)).run.inserted == 6  # the run over the audience leaves it out
        before = await service.commands.user_census("u0002")
        assert (before.in_audience, before.legacy_untracked) == (False, 7)
        assert (await service.commands.backfill_user("u0002", force=False)).updated == 7
        after = await service.commands.user_census("u0002")
        assert (after.in_audience, after.legacy_untracked, after.tracked) == (True, 0, 7)
        assert (after.fresh, after.storage) == (before.fresh, before.storage) == (2, 3)
        await assert_records_agree(app)
        await assert_ledger_is_there(app)


async def test_a_user_with_nothing_to_backfill_keeps_its_one_time(app_database_url: str) -> None:
    async with app_on(app_database_url) as app, idle_service_on(app_database_url) as service:
        await app.plant(users=1, artworks=6)
        await app.run("UPDATE art_sessions SET created_at = timezone('UTC', now())")
        nothing = UserBackfill(updated=0, run_id=None, skipped=False)
        assert await service.commands.backfill_user("u0001", force=False) == nothing
        assert await flag(app, "u0001") == []
        await app.run(
            "UPDATE art_sessions SET created_at = created_at - interval '8 days'"
            " WHERE id LIKE 'old%'"
        )
        assert (await service.commands.backfill_user("u0001", force=False)).updated == 6
        assert await flag(app, "u0001") == [(1, 6)]


@pytest.mark.parametrize("user", ["nobody", "", "it's", "%s", "\x00", "u0001 "])
async def test_an_unknown_user_is_named_and_nothing_is_left_of_it(
    app_database_url: str, user: str
) -> None:
    async with app_on(app_database_url) as app, idle_service_on(app_database_url) as service:
        await app.plant(users=1, artworks=2)
        with pytest.raises(UnknownUserError):
            await service.commands.backfill_user(user, force=True)
        assert await app.value("SELECT count(*) FROM conservator.run") == 0


async def test_a_pause_refuses_single_users_too_and_a_closed_window_does_not(
    app_database_url: str,
) -> None:
    closed = {"window": "00:00-00:01"}
    async with (
        app_on(app_database_url) as app,
        idle_service_on(app_database_url, healing=closed) as service,
    ):
        await app.plant(users=2, artworks=6)
        await service.commands.pause("an incident")
        with pytest.raises(PausedError, match="an incident"):
            await service.commands.backfill_user("u0001", force=False)
        assert await flag(app, "u0001") == []
        await service.commands.resume()
        assert (await service.commands.backfill_user("u0001", force=False)).updated == 6


async def test_a_backfill_whose_process_died_is_given_up_and_the_next_call_does_the_rest(
    app_database_url: str,
) -> None:
    paced = {"pace": {"max_batch": 4}}
    async with app_on(app_database_url) as app:
        await app.plant(users=1, artworks=10)
        async with idle_service_on(app_database_url, healing=paced) as service:
            # The first batch commits, and the second one finds the switch thrown.
            await app.run(
                "CREATE FUNCTION throw() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN UPDATE conservator.control SET paused = true; RETURN NULL; END $$;"
                "CREATE TRIGGER throw AFTER INSERT ON conservator.batch"
                " FOR EACH STATEMENT EXECUTE FUNCTION throw()"
            )
            with pytest.raises(RunHeldError):
                await service.commands.backfill_user("u0001", force=False)
            await app.run("DROP FUNCTION throw CASCADE")
            assert await app.rows("SELECT state, inserted FROM conservator.run") == [("held", 4)]
            await service.commands.resume()
            rest = await service.commands.backfill_user("u0001", force=False)
        assert rest == UserBackfill(updated=6, run_id=2, skipped=False)
        assert await app.rows("SELECT state, inserted FROM conservator.run ORDER BY id") == [
            ("failed", 4),
            ("succeeded", 6),
        ]
        await assert_records_agree(app)
        await assert_ledger_is_there(app)
