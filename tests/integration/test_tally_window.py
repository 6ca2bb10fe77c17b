"""How long a tally counts: the look-back, a reset, and what is kept of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from monitor.database import transaction
from monitor.loop.tallies import Tallies, Tally, prune_tallies, take_tally
from monitor.policy.inputs import Loss
from monitor.runtime import CurrentRuntime, Runtime
from monitor.state.control import Control, mark_breaker_open, reset_breaker
from tests.support.app import App
from tests.support.builders import a_census
from tests.support.healing import make_runtime, planted

pytestmark = pytest.mark.prepared

LOSE = """
DELETE FROM user_art_impressions WHERE (user_id, artwork_id) IN (
    SELECT user_id, artwork_id FROM user_art_impressions ORDER BY md5(id) LIMIT %(n)s)
"""
SEE_ALL = """
INSERT INTO user_art_impressions (user_id, artwork_id)
SELECT u.id, a.id FROM users AS u CROSS JOIN art_sessions AS a ON CONFLICT DO NOTHING
"""
TABLES = ("tally_artwork", "tally_user")


@dataclass
class Watch:
    """A gallery of 10 users who have seen all of 20 artworks, and its tallies."""

    app: App
    runtime: Runtime

    async def tally(self) -> Loss:
        loss = (await take_tally(self.runtime)).loss
        assert loss is not None
        return loss

    async def lose(self, number: int) -> None:
        await self.app.run(LOSE, n=number)

    async def hours_pass(self, hours: int) -> None:
        """Everything that was written down so far is so much older."""
        back = f"interval '{hours} hours'"
        for table in TABLES:
            await self.app.run(f"UPDATE conservator.{table} SET taken_at = taken_at - {back}")
        await self.app.run(
            f"UPDATE conservator.control SET tally_base_at = tally_base_at - {back},"
            f" breaker_reset_at = breaker_reset_at - {back}, verified_at = verified_at - {back};"
            f"UPDATE conservator.batch SET started_at = started_at - {back}"
        )

    async def reset(self) -> None:
        async with transaction(self.runtime.engine, timeout=self.runtime.settings.lease) as c:
            await mark_breaker_open(c, self.runtime.state, code="loss", reason="a test")
            await reset_breaker(c, self.runtime.state, accepted_share=None)

    async def rows(self) -> int:
        return sum([await self.app.value(f"SELECT count(*) FROM conservator.{t}") for t in TABLES])


@asynccontextmanager
async def watching(url: str) -> AsyncIterator[Watch]:
    async with planted(url, users=10, artworks=14, untracked=0) as (app, runtime):
        await app.run(SEE_ALL)
        watch = Watch(app, runtime)
        assert (await watch.tally()).expected == 200
        yield watch


async def test_nine_percent_a_census_add_up(app_database_url: str) -> None:
    async with watching(app_database_url) as watch:
        await watch.lose(18)
        first = await watch.tally()
        assert (first.lost, first.share < 0.1) == (18, True)
        await watch.hours_pass(2)
        await watch.lose(16)
        second = await watch.tally()
        assert (second.lost, second.expected, second.share > 0.1) == (34, 200, True)


@pytest.mark.parametrize("table", ["art_sessions", "users"])
async def test_deleting_almost_a_third_is_no_loss(app_database_url: str, table: str) -> None:
    async with watching(app_database_url) as watch:
        await watch.app.run(f"DELETE FROM {table} WHERE hashtext(id) % 3 = 0")
        left = await watch.app.value("SELECT count(*) FROM user_art_impressions")
        assert 0 < left < 180
        loss = await watch.tally()
        assert (loss.lost, loss.expected) == (0, left)
        # What is lost of the others is measured against them.
        await watch.lose(left // 2)
        loss = await watch.tally()
        assert loss.share == pytest.approx(0.5, abs=0.01)


async def test_a_truncated_table_is_a_loss_of_everything(app_database_url: str) -> None:
    async with watching(app_database_url) as watch:
        await watch.app.run("TRUNCATE user_art_impressions")
        loss = await watch.tally()
        assert (loss.lost, loss.expected) == (200, 200)


async def test_a_loss_is_forgotten_after_a_day_and_not_before(app_database_url: str) -> None:
    async with watching(app_database_url) as watch:
        await watch.lose(50)
        await watch.tally()
        await watch.hours_pass(23)
        assert (await watch.tally()).lost == 50
        await watch.hours_pass(2)
        assert (await watch.tally()).lost == 0


async def test_what_was_there_a_day_ago_counts_though_nothing_was_written_down_since(
    app_database_url: str,
) -> None:
    async with watching(app_database_url) as watch:
        await watch.hours_pass(1000)
        await watch.lose(50)
        assert (await watch.tally()).lost == 50


async def test_after_a_reset_losses_are_measured_from_the_next_tally(
    app_database_url: str,
) -> None:
    async with watching(app_database_url) as watch:
        await watch.lose(50)
        await watch.tally()
        await watch.reset()
        # Before the first tally that follows, too: the person has seen a gallery without it.
        await watch.lose(30)
        assert (await watch.tally()).lost == 0
        await watch.lose(20)
        loss = await watch.tally()
        assert (loss.lost, loss.expected) == (20, 120)
        await watch.reset()
        assert (await watch.tally()).lost == 0


async def test_a_tally_writes_down_only_what_has_changed(app_database_url: str) -> None:
    async with watching(app_database_url) as watch:
        rows = await watch.rows()
        await watch.tally()
        assert await watch.rows() == rows
        await watch.lose(1)
        await watch.tally()
        assert await watch.rows() == rows + 2


async def test_pruning_changes_no_judgement_and_keeps_a_row_for_each_that_counts(
    app_database_url: str,
) -> None:
    async with watching(app_database_url) as watch:
        for _ in range(3):
            await watch.hours_pass(30)
            await watch.lose(10)
            before = await watch.tally()
            await prune_tallies(watch.runtime)
            after = await watch.tally()
            assert (after.lost, after.expected) == (before.lost, before.expected)
        await watch.app.run("DELETE FROM users WHERE id <= 'u0004'")
        await watch.tally()
        await watch.hours_pass(30)
        await prune_tallies(watch.runtime)
        users = await watch.app.rows("SELECT DISTINCT user_id FROM conservator.tally_user")
        assert len(users) == 6
        assert await watch.rows() == 6 + 20


async def test_pruning_keeps_what_was_so_when_the_last_verified_heal_was_planned(
    app_database_url: str,
) -> None:
    async with watching(app_database_url) as watch:
        await watch.app.run("UPDATE conservator.control SET verified_at = now()")
        for _ in range(3):
            await watch.hours_pass(30)
            await watch.lose(20)
            await watch.tally()
        await prune_tallies(watch.runtime)
        enrolled = await watch.app.rows(
            "SELECT t.user_id, max(t.impressions) FROM conservator.tally_user AS t,"
            " conservator.control AS c WHERE t.taken_at <= c.verified_at GROUP BY t.user_id"
        )
        assert len(enrolled) == 10
        assert {most for _, most in enrolled} == {20}


REAL = "note IS DISTINCT FROM 'test'"


async def verified(app: App) -> tuple[object, object]:
    (row,) = await app.rows("SELECT verified_until, verified_at FROM conservator.control")
    return row[0], row[1]


async def test_other_settings_of_what_is_counted_are_no_loss_and_verify_nothing(
    app_database_url: str,
) -> None:
    async with watching(app_database_url) as watch:
        app = watch.app
        await app.run("UPDATE conservator.control SET verified_until = now(), verified_at = now()")
        pairs = {"catalog": {"impressions": {"defaults": {"id": "gen_random_uuid()::text"}}}}
        async with make_runtime(app_database_url, **pairs) as same:
            await watch.lose(10)
            told = await take_tally(same, appeared=True)
            assert told.loss is not None
            assert (told.loss.lost, told.loss.expected) == (10, 200)
            assert None not in await verified(app)
        await app.run("DELETE FROM user_art_impressions")
        await app.run(SEE_ALL)
        await app.run(
            "ALTER TABLE user_art_impressions ADD note text;"
            "UPDATE user_art_impressions SET note = 'test' WHERE artwork_id < 'p'"
        )
        real = {"catalog": {"impressions": {"counts": REAL, "set": {"note": "'real'"}}}}
        async with make_runtime(app_database_url, **real) as after:
            told = await take_tally(after, appeared=True)
            assert told.loss is not None
            left = await app.value(f"SELECT count(*) FROM user_art_impressions WHERE {REAL}")
            assert (told.loss.lost, told.loss.expected, told.recurring) == (0, left, 0)
            assert 0 < left < 190
            assert await verified(app) == (None, None)
            await app.run("UPDATE conservator.control SET verified_until = now()")
            await app.run("DELETE FROM user_art_impressions WHERE user_id = 'u0001'")
            told = await take_tally(after)
            assert told.loss is not None
            assert told.loss.lost == left // 10
            await after.end_others()
            assert (await verified(app))[0] is not None


async def test_a_base_from_before_settings_were_kept_goes_on(app_database_url: str) -> None:
    async with watching(app_database_url) as watch:
        await watch.app.run("UPDATE conservator.control SET tallied = NULL")
        await watch.lose(30)
        assert (await watch.tally()).lost == 30
        assert await watch.app.value("SELECT tallied IS NOT NULL FROM conservator.control")


async def test_heals_too_small_to_hide_a_loss_go_without_a_tally_until_they_are_many(
    app_database_url: str,
) -> None:
    async with watching(app_database_url) as watch:
        tallies = Tallies(CurrentRuntime(watch.runtime))
        control = Control()
        small = a_census(tracked=200, legacy_untracked=1, appeared=0)
        first = await tallies.take_if_due(replace(small, legacy_untracked=0), control)
        assert first is not None
        # A hundredth of what is tracked: a tenth of what opens the breaker.
        untold = Tally(None, 0)
        assert [await tallies.take_before_heal(small, control) for _ in range(2)] == [untold] * 2
        taken = await tallies.take_before_heal(small, control)
        assert taken is not None
        assert taken.loss is not None
        assert await tallies.take_before_heal(small, control) == untold
        large = await tallies.take_before_heal(replace(small, legacy_untracked=3), control)
        assert large is not None
        assert large.loss is not None


async def test_what_recurs_is_counted_without_a_tally_too(app_database_url: str) -> None:
    async with watching(app_database_url) as watch:
        tallies = Tallies(CurrentRuntime(watch.runtime))
        await watch.app.run(
            "UPDATE conservator.control SET verified_until = now() - interval '7 days',"
            " verified_at = now()"
        )
        now = await watch.app.value("SELECT now()")
        census = a_census(as_of=now, tracked=200, legacy_untracked=0, appeared=0)
        assert await tallies.take_if_due(census, Control()) is not None
        await watch.app.run("UPDATE conservator.control SET verified_at = now()")
        await watch.app.run(
            "DELETE FROM user_art_impressions WHERE artwork_id = 'old0001' AND user_id < 'u0003'"
        )
        found = replace(census, legacy_untracked=2, appeared=2, incomplete=None)
        told = await tallies.take_before_heal(found, Control())
        assert told == Tally(None, 2)
        await watch.app.run("ALTER TABLE conservator.tally_user RENAME TO elsewhere")
        failed = await tallies.take_before_heal(replace(found, legacy_untracked=0), Control())
        assert failed is not None
        assert "does not exist" in (failed.error or "")
