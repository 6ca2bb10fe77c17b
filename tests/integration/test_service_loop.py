"""The whole loop without HTTP: found, decided, healed, counted again, published, recorded."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.affected import AffectedUsers, count_affected_users
from checks.census import Census
from checks.judgement import Outcome
from monitor.checking import census as census_check
from monitor.policy.decision import Code, Verdict
from tests.support.app import app_on
from tests.support.commands import on_one_server
from tests.support.ledger_audit import (
    assert_exactly_healed,
    assert_only_legacy_inserted,
    assert_records_agree,
    counter,
    start_audit,
)
from tests.support.services import codes, decided, has_censuses, is_clean, service_on
from tests.support.waiting import wait_until
from tests.support.writers import Writers

pytestmark = [on_one_server, pytest.mark.prepared]


async def test_planted_pairs_are_found_healed_verified_and_published(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app, service_on(app_database_url) as service:
        await wait_until(lambda: is_clean(service))
        await app.plant(users=8, artworks=30)
        await start_audit(app)
        await wait_until(lambda: bool(service.board.current.counters.get(("heal_runs", ""))))
        await wait_until(lambda: is_clean(service))
        status = service.board.current
        assert status.census is not None
        assert status.decision is not None
        assert status.decision.kind is Verdict.CLEAR
        assert status.census.counts == (8 * 31, 8 * 2, 8 * 3, 0)
        assert status.counters["heal_impressions", ""] == 240
        assert status.checks["census"].value == 0
        # The recount that ends a run is the newest census on record, and was published as such.
        assert (await codes(app))[:2] == ["clean", "threshold"]
        assert (await codes(app))[-1] == "clean"
        recount = await app.rows(
            "SELECT c.legacy_untracked FROM conservator.census AS c JOIN conservator.run AS r"
            " ON c.as_of BETWEEN r.started_at AND r.finished_at ORDER BY c.as_of DESC LIMIT 1"
        )
        assert recount == [(0,)]
        await assert_exactly_healed(app)


async def test_what_a_cooldown_puts_off_is_healed_when_it_ends_and_not_a_census_later(
    app_database_url: str,
) -> None:
    seldom = {"census": {"every": "1h"}}
    async with (
        app_on(app_database_url) as app,
        service_on(app_database_url, seldom, cooldown="3s") as service,
    ):
        await app.plant(users=3, artworks=4)
        service._scheduler.wake("census")
        await wait_until(lambda: bool(service.board.current.counters.get(("heal_runs", ""))))
        await wait_until(lambda: service.board.current.active_run is None)
        await app.run("DELETE FROM user_art_impressions WHERE artwork_id = 'old0001'")
        service._scheduler.wake("census")
        await wait_until(decided(service, Code.COOLDOWN))
        await wait_until(lambda: service.board.current.counters["heal_runs", ""] == 2)


async def test_users_that_can_not_be_counted_in_time_cost_no_census_and_no_heal(
    app_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Census] = []

    async def count(connection: AsyncConnection, *told: Any, **more: Any) -> AffectedUsers:
        *_, census = told
        if census.legacy_untracked:
            asked.append(census)
            await connection.exec_driver_sql("SELECT pg_sleep(60)")
        return await count_affected_users(connection, *told, **more)

    monkeypatch.setattr(census_check, "count_affected_users", count)
    hasty = {"statement_timeout": "500ms"}
    async with (
        app_on(app_database_url) as app,
        service_on(app_database_url, database=hasty, mode="observe") as service,
    ):
        await wait_until(lambda: is_clean(service))
        await app.plant(users=3, artworks=4)
        await wait_until(decided(service, Code.OBSERVE))
        for _ in range(3):
            counted = service.board.current.census
            await wait_until(lambda: service.board.current.census is not counted)  # noqa: B023
        status = service.board.current
        assert status.census is not None
        assert status.census.legacy_untracked == 12
        assert status.checks["census"].outcome is Outcome.FAIL
        assert Code.CENSUS_FAILED not in await codes(app)
        # Half a second is a hundredth of the time.
        assert len(asked) == 1


_SLOW_PLANS = """
CREATE SEQUENCE plans;
CREATE FUNCTION plan_slowly() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM nextval('plans'), pg_sleep(60);
    RETURN NULL;
END $$;
CREATE TRIGGER plans_slowly BEFORE INSERT ON conservator.run
FOR EACH STATEMENT EXECUTE FUNCTION plan_slowly();
GRANT USAGE ON SEQUENCE plans TO PUBLIC;
"""


async def test_a_plan_that_is_not_over_in_time_is_tried_again_only_in_its_share_of_the_time(
    app_database_url: str,
) -> None:
    hasty = {"statement_timeout": "500ms"}
    async with (
        app_on(app_database_url) as app,
        service_on(app_database_url, database=hasty) as service,
    ):
        await wait_until(lambda: is_clean(service))
        await app.run(_SLOW_PLANS)
        began = time.monotonic()
        await app.plant(users=3, artworks=4)
        await wait_until(decided(service, Code.NOT_PLANNED))
        for _ in range(3):
            counted = service.board.current.census
            await wait_until(lambda: service.board.current.census is not counted)  # noqa: B023
            await wait_until(decided(service, Code.NOT_PLANNED))
        # A tenth of the time: half a second in five.
        tries = await app.value("SELECT last_value FROM plans")
        assert tries <= 1 + (time.monotonic() - began) / 5
        decision = service.board.current.decision
        assert decision is not None
        assert (decision.kind, "longer than it may" in decision.reason) == (Verdict.WAIT, True)
        await app.run("DROP TRIGGER plans_slowly ON conservator.run")
        await wait_until(lambda: is_clean(service))
        assert service.board.current.counters["heal_runs", ""] == 1


async def test_a_recount_that_is_published_late_is_not_the_newest(app_database_url: str) -> None:
    """A pass may count after the recount of a run, and be done before it is published."""
    async with (
        app_on(app_database_url) as app,
        service_on(app_database_url, mode="observe") as service,
    ):
        await app.plant(users=3, artworks=4)
        await wait_until(decided(service, Code.OBSERVE))
        service._scheduler.stop()  # nobody else publishes from here on
        await wait_until(lambda: not service._jobs.running_jobs.tasks)
        newest, published = service.board.current.census, service._registry.census.publish
        assert newest is not None
        published(replace(newest, as_of=newest.as_of - timedelta(seconds=1), legacy_untracked=7))
        assert service.board.current.census == newest
        later = replace(newest, as_of=newest.as_of + timedelta(seconds=1), legacy_untracked=7)
        published(later)
        assert service.board.current.census == later


async def test_the_loop_keeps_a_busy_gallery_healed_until_the_writers_stop(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await app.plant(users=15, artworks=20)
        await start_audit(app)
        async with service_on(app_database_url) as service:
            async with Writers(app_database_url, crowd=2) as writers:
                # People who join have all the old artworks before them: more than one run.
                await wait_until(
                    lambda: service.board.current.counters.get(("heal_runs", ""), 0) >= 3
                )
                assert writers.writes > 50
            await wait_until(lambda: is_clean(service))
        await assert_only_legacy_inserted(app)
        await assert_records_agree(app)
        assert set(await app.rows("SELECT DISTINCT state FROM conservator.run")) == {("succeeded",)}


async def test_in_observe_mode_everything_is_counted_and_nothing_written(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await app.plant(users=4, artworks=5)
        await start_audit(app)
        async with service_on(app_database_url, mode="observe") as service:
            await wait_until(decided(service, Code.OBSERVE))
            assert service.board.current.census is not None
            assert service.board.current.census.legacy_untracked == 20
            # A person may, and the loop then takes the run to its end.
            assert await service.commands.backfill_all() == 1
            await wait_until(lambda: is_clean(service))
        assert set(await codes(app)) <= {"observe", "active_run", "clean"}
        assert await counter(app, "heal_refusals") == 0
        assert await counter(app, "heal_impressions") == 20
        await assert_only_legacy_inserted(app)


async def test_observing_alone_leaves_the_apps_tables_as_they_were(app_database_url: str) -> None:
    tables = ("users", "art_sessions", "user_art_impressions")
    async with app_on(app_database_url) as app:
        await app.plant(users=4, artworks=5)
        before = await app.fingerprint(*tables)
        async with service_on(app_database_url, mode="observe"):
            await wait_until(lambda: has_censuses(app, 3))
        assert await app.fingerprint(*tables) == before
        assert await app.value("SELECT count(*) FROM conservator.run") == 0


async def test_too_large_a_share_is_refused_and_counted_and_nothing_is_written(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await app.plant(users=4, artworks=50)
        before = await app.fingerprint("user_art_impressions")
        async with service_on(app_database_url, breaker={"max_share": "50%"}) as service:
            await wait_until(decided(service, Code.MAX_SHARE))
            label = ("heal_refusals", "max_share")
            await wait_until(lambda: service.board.current.counters.get(label, 0) >= 2)
            assert await counter(app, "heal_refusals") >= 2
        assert await app.fingerprint("user_art_impressions") == before
        assert await app.value("SELECT count(*) FROM conservator.run") == 0
        assert await codes(app) == ["max_share"]


@pytest.mark.parametrize(
    ("breaking", "mending"),
    [
        (
            "ALTER TABLE art_sessions RENAME TO elsewhere",
            "ALTER TABLE elsewhere RENAME TO art_sessions",
        ),
        (
            "ALTER TABLE user_art_impressions RENAME viewed_at TO seen_at;"
            "ALTER TABLE user_art_impressions RENAME user_id TO who",
            "ALTER TABLE user_art_impressions RENAME seen_at TO viewed_at;"
            "ALTER TABLE user_art_impressions RENAME who TO user_id",
        ),
    ],
    ids=["a table", "columns"],
)
async def test_a_census_that_fails_means_wait_until_it_succeeds_again(
    app_database_url: str, breaking: str, mending: str
) -> None:
    async with app_on(app_database_url) as app, service_on(app_database_url) as service:
        await wait_until(lambda: is_clean(service))
        await app.run(breaking)
        await wait_until(decided(service, Code.CENSUS_FAILED))
        decision = service.board.current.decision
        assert decision is not None
        assert decision.kind is Verdict.WAIT
        assert "does not exist" in decision.reason
        assert service.board.current.database_up
        await app.run(mending)
        await app.plant(users=3, artworks=5)
        await wait_until(lambda: bool(service.board.current.counters.get(("heal_runs", ""))))
        await wait_until(lambda: is_clean(service))
        assert await counter(app, "check_errors") >= 1
        assert "census_failed" in await codes(app)
        await assert_records_agree(app)


async def test_without_the_right_to_read_nothing_is_decided_and_nothing_written(
    app_database_url: str,
) -> None:
    role = "service_without_luck"
    async with app_on(app_database_url) as app:
        await app.run(
            f"DROP ROLE IF EXISTS {role}; CREATE ROLE {role} LOGIN;"
            f"GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO {role};"
            f"DROP SCHEMA conservator CASCADE; CREATE SCHEMA conservator AUTHORIZATION {role}"
        )
        url = app_database_url.replace("postgres@", f"{role}@")
        try:
            async with service_on(url) as service:
                await wait_until(lambda: is_clean(service))
                await app.run(f"REVOKE SELECT ON users FROM {role}")
                await app.plant(users=3, artworks=5)
                await wait_until(decided(service, Code.CENSUS_FAILED))
                decision = service.board.current.decision
                assert decision is not None
                assert "permission denied for table users" in decision.reason
                errors = service.board.current.checks["census"]
                assert errors.outcome is not None
                assert errors.outcome.value == "error"
                assert await app.value("SELECT count(*) FROM conservator.run") == 0
                await app.run(f"GRANT SELECT ON users TO {role}")
                await wait_until(
                    lambda: bool(service.board.current.counters.get(("heal_runs", "")))
                )
                await wait_until(lambda: is_clean(service))
            await assert_records_agree(app)
        finally:
            await app.run(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")
