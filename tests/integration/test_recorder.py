"""What a run of recording_rate takes, keeps and finds, on real tables."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.errors import ConservatorError
from checks.judgement import Measurement, Outcome
from monitor.checking.definition import Confirm
from monitor.database import create_engine, transaction
from monitor.state import history
from tests.support.healing import heal
from tests.support.recording_rate import Recording, recorder_of, recording
from tests.support.roles import OWNER
from tests.support.undoing import UPSERT

AN_ODD_WEEK = "interval '7 days 37 seconds'"
"""So that no sample is moved to where another one is."""
RANGES = "SELECT started_at, ended_at FROM conservator.recording_sample ORDER BY started_at"


class FollowerError(ConservatorError):
    """Another process leads."""


async def follows(_: AsyncConnection) -> None:
    raise FollowerError("Another process leads.")


async def dies(_: AsyncConnection) -> None:
    raise ConnectionResetError


async def test_a_first_run_keeps_what_the_table_tells_and_marks_it(app_database_url: str) -> None:
    async with recording(app_database_url) as it:
        await it.record(5, "2 hours", "earlier")
        await it.record(3, "2 minutes", "now")
        result = await it.run()
        assert result.outcome is Outcome.PASS, result.message
        assert await it.newest() == (3, False, False)
        ((seeds, told, observed),) = await it.app.rows(
            "SELECT count(*) FILTER (WHERE seeded), sum(impressions) FILTER (WHERE seeded),"
            " count(*) FILTER (WHERE NOT seeded) FROM conservator.recording_sample"
        )
        assert 20 <= seeds <= 24
        assert (told, observed) == (5, 1)


async def test_samples_follow_one_another_without_gap_or_overlap(app_database_url: str) -> None:
    async with recording(app_database_url) as it:
        for _ in range(3):
            assert (await it.run()).outcome is Outcome.PASS
            await it.let_an_interval_pass()
        ranges = await it.app.rows(RANGES)
        assert len(ranges) == 3
        assert all(ended == started for (_, ended), (started, _) in pairwise(ranges))


async def test_run_again_at_once_the_newest_is_judged_again_and_nothing_is_added(
    app_database_url: str,
) -> None:
    async with recording(app_database_url, every="1s") as it:
        await it.run()
        ranges = await it.app.rows(RANGES)
        await it.run()
        assert await it.app.rows(RANGES) == ranges
        (started, ended) = ranges[-1]
        assert ended - started == timedelta(minutes=1)


async def test_however_short_the_interval_the_table_is_read_back_in_five_minutes(
    app_database_url: str,
) -> None:
    async with recording(app_database_url, every="1s") as it:
        await it.record(4, "50 days", "earlier")
        await it.run()
        seeds = await it.app.value("SELECT count(*) FROM conservator.recording_sample WHERE seeded")
        assert abs(seeds - 50 * 288) <= 2


async def test_what_healing_writes_is_not_recorded_and_what_is_viewed_again_is(
    app_database_url: str,
) -> None:
    async with recording(app_database_url) as it:
        await it.app.plant(users=5, artworks=4)
        assert (await heal(it.runtime)).run.inserted == 20
        await it.app.run(UPSERT, user="u0001", artwork="old0001")
        # Everything in the last five minutes, seconds ago, lies in the window of the next run.
        await it.app.run(
            "UPDATE user_art_impressions SET viewed_at = viewed_at - interval '10 seconds'"
        )
        await it.app.run(
            "UPDATE conservator.backfilled_impression SET viewed_at = viewed_at"
            " - interval '10 seconds'"
        )
        await it.run()
        assert await it.newest() == (1, False, False)


async def test_what_was_kept_stays_when_an_upsert_moves_the_view(app_database_url: str) -> None:
    async with recording(app_database_url) as it:
        await it.record(7, "2 minutes", "now")
        await it.run()
        await it.app.run("UPDATE user_art_impressions SET viewed_at = timezone('UTC', now())")
        await it.run()
        assert await it.newest() == (7, False, False)
        await it.let_an_interval_pass()
        await it.run()
        kept = await it.app.rows(
            "SELECT impressions FROM conservator.recording_sample ORDER BY started_at"
        )
        assert kept[0] == (7,)


@pytest.mark.parametrize("confirm", [follows, dies])
async def test_without_the_leaders_word_nothing_is_kept_and_the_window_is_counted_again(
    app_database_url: str, confirm: Confirm
) -> None:
    async with recording(app_database_url) as it:
        await it.plant_weeks()
        await it.record(9, "2 minutes", "now")
        kept = await it.kept()
        result = await it.run(confirm)
        assert result.outcome is Outcome.ERROR
        assert await it.kept() == kept
        await it.run()
        assert await it.kept() == kept + 1
        assert (await it.newest())[0] == 9


async def test_on_the_command_line_nothing_is_kept(app_database_url: str) -> None:
    async with recording(app_database_url) as it:
        await it.plant_weeks()
        kept = await it.kept()
        assert (await it.run(None)).outcome is Outcome.PASS
        assert await it.kept() == kept
        await it.app.run("DROP SCHEMA conservator CASCADE")
        await it.record(5, "8 days", "earlier")
        found = await it.run(None)
        assert found.outcome is Outcome.PASS, found.message
        assert not await it.app.value(
            "SELECT count(*) FROM pg_namespace WHERE nspname = 'conservator'"
        )


async def test_a_stop_while_artworks_are_created_fails_within_two_intervals(
    app_database_url: str,
) -> None:
    async with recording(app_database_url) as it:
        found = await two_intervals_without_any(it)
        assert found.outcome is Outcome.FAIL, found.message
        assert "while" in found.message
        assert (await it.newest())[2], "kept as suspect"


async def test_a_repaired_outage_is_no_part_of_what_is_usual(app_database_url: str) -> None:
    async with recording(app_database_url) as it:
        await two_intervals_without_any(it)
        for number in range(2):
            await it.let_an_interval_pass()
            await it.record(600, "2 minutes", f"repaired{number}")
            found = await it.run()
        assert found.outcome is Outcome.PASS, found.message
        assert await it.newest() == (600, False, False)
        # A week later the outage lies in the history, at this hour.
        await it.app.run(
            "UPDATE conservator.recording_sample SET started_at = started_at - "
            f"{AN_ODD_WEEK}, ended_at = ended_at - {AN_ODD_WEEK}"
        )
        await it.app.run("DELETE FROM user_art_impressions")
        await it.app.run(
            "INSERT INTO conservator.recording_sample (started_at, ended_at, impressions,"
            " artworks, seeded, suspect, level)"
            " SELECT now() - n * interval '5 minutes', now() - (n - 1) * interval '5 minutes',"
            " 600, 1, false, false, 1 FROM generate_series(2, 100) AS n"
        )
        await it.record(600, "2 minutes", "later")
        found = await it.run()
        assert found.outcome is Outcome.PASS, found.message
        assert found.numbers["usual"] == pytest.approx(1200, rel=0.05)


async def test_ten_weeks_of_samples_outlive_a_shorter_history(app_database_url: str) -> None:
    async with recording(app_database_url) as it:
        for days in (69, 71):
            await it.app.run(
                "INSERT INTO conservator.recording_sample (started_at, ended_at, impressions,"
                " artworks, seeded, suspect, level) SELECT t - interval '5 minutes', t, 1, 1,"
                f" false, false, 1 FROM (SELECT now() - interval '{days} days') AS s (t)"
            )
        async with transaction(it.runtime.engine, timeout=timedelta(seconds=10)) as connection:
            await history.prune(connection, it.runtime.state, timedelta(days=1))
        assert await it.app.rows(
            "SELECT now() - ended_at < interval '70 days' FROM conservator.recording_sample"
        ) == [(True,)]


async def test_on_a_replica_the_reading_role_suffices(app_database_url: str) -> None:
    async with recording(app_database_url) as it:
        await it.app.run(
            "DO $$ BEGIN CREATE ROLE replica_reader LOGIN; EXCEPTION WHEN duplicate_object"
            " THEN NULL; END $$; GRANT conservator_reader TO replica_reader"
        )
        await it.record(4, "2 minutes", "now")
        url = app_database_url.replace(f"//{OWNER}@", "//replica_reader@")
        assert url != app_database_url
        reading = create_engine(url, pool_size=1)
        try:
            it_reads = Recording(it.app, it.runtime, recorder_of(it.runtime, reading))
            found = await it_reads.run()
        finally:
            await reading.dispose()
        assert found.outcome is Outcome.PASS, found.message
        assert await it.newest() == (4, False, False)


async def two_intervals_without_any(it: Recording) -> Measurement:
    """Weeks as usual, then two samples without an impression, though artworks are created."""
    await it.plant_weeks()
    await it.create_artworks()
    first = await it.run()
    assert first.outcome is not Outcome.ERROR, first.message
    await it.let_an_interval_pass()
    await it.create_artworks()
    return await it.run()
