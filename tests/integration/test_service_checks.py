"""The checks in the running service: measured, judged, kept, and each on its own."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from checks.judgement import Outcome
from exporters.current import current_outcome
from exporters.prometheus import create_registry
from monitor.service.service import Service
from monitor.status import CheckResult
from tests.support.app import App, app_on
from tests.support.commands import on_one_server
from tests.support.healing import service_settings
from tests.support.services import running
from tests.support.waiting import wait_until

pytestmark = [on_one_server, pytest.mark.prepared]

BUILT_IN = (
    "census",
    "structure",
    "duplicate_impressions",
    "orphan_impressions",
    "timestamps",
    "recording_rate",
    "pool_exhaustion",
    "artwork_supply",
)
GALLERY = """
INSERT INTO users (id) SELECT 'u' || n FROM generate_series(1, 3) AS n;
INSERT INTO art_sessions (id, session_id, image_url, prompt, created_at)
SELECT 'a' || n, 's', 'x', 'y', timezone('UTC', now()) - n * interval '1 hour'
FROM generate_series(1, 12) AS n;
INSERT INTO user_art_impressions (user_id, artwork_id, viewed_at)
SELECT 'u' || n, 'a' || n, timezone('UTC', now()) FROM generate_series(1, 3) AS n;
-- The app writes moments in UTC, as the catalogue says: the structure is as it should be.
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone TO UTC', current_database()); END $$;
CREATE TABLE queue (id int);
GRANT SELECT ON queue TO PUBLIC;
"""
OWN = {"name": "queue_length", "query": "SELECT count(*) FROM queue", "every": "300ms"}


@asynccontextmanager
async def watching(
    url: str, *, read_url: str | None = None, **checks: Any
) -> AsyncIterator[Service]:
    """A running service that only observes, with these checks beside a quick census."""
    quick = {"census": {"every": "300ms", "budget": "100%"}}
    settings = await service_settings(
        url,
        checks={**quick, **checks},
        healing={"mode": "observe"},
        **({} if read_url is None else {"database": {"read_url": read_url}}),
    )
    async with running(Service(settings)) as service:
        yield service


@asynccontextmanager
async def gallery(url: str) -> AsyncIterator[App]:
    async with app_on(url) as app:
        await app.run(GALLERY)
        yield app


def shown(service: Service, name: str) -> CheckResult:
    return service.board.current.checks[name]


def is_now(service: Service, name: str, outcome: Outcome) -> bool:
    return shown(service, name).outcome is outcome


def exported(service: Service, name: str, check: str) -> float | None:
    registry = create_registry(service.board, process=False)
    return registry.get_sample_value(f"conservator_{name}", {"check": check})


def soon(*names: str) -> dict[str, Any]:
    """Checks that run at once and every second."""
    return {name: {"every": "1s", "budget": "100%"} for name in names}


async def test_every_built_in_check_runs_and_an_intact_gallery_passes(
    app_database_url: str,
) -> None:
    async with (
        gallery(app_database_url),
        watching(app_database_url, **soon(*BUILT_IN[2:])) as service,
    ):
        checks = service.board.current.checks
        assert tuple(checks) == BUILT_IN
        await wait_until(lambda: all(c.outcome for c in service.board.current.checks.values()))
        found = {name: check.outcome for name, check in service.board.current.checks.items()}
        assert found == {
            **dict.fromkeys(BUILT_IN, Outcome.PASS),
            # The foreign keys and the unique index say so.
            "duplicate_impressions": Outcome.SKIPPED,
            "orphan_impressions": Outcome.SKIPPED,
        }
        assert (
            "user_art_impressions_unique_user_artwork"
            in shown(service, "duplicate_impressions").message
        )


async def test_a_renamed_table_is_an_error_of_its_own_check_until_it_is_back(
    app_database_url: str,
) -> None:
    async with gallery(app_database_url) as app, watching(app_database_url, sql=[OWN]) as service:
        await wait_until(lambda: exported(service, "check_value", "queue_length") == 0)
        await app.run("ALTER TABLE queue RENAME TO line")
        await wait_until(lambda: is_now(service, "queue_length", Outcome.ERROR))
        assert "queue" in shown(service, "queue_length").message
        # Three intervals after it was measured last.
        await wait_until(lambda: exported(service, "check_value", "queue_length") is None)
        # The totals are read back from the database.
        await wait_until(lambda: bool(exported(service, "check_errors_total", "queue_length")))
        errors = exported(service, "check_errors_total", "queue_length")
        assert errors
        status = service.board.current
        census = status.checks["census"]
        assert current_outcome(census, time.monotonic()) is Outcome.PASS
        assert exported(service, "check_value", "census") == 0
        await app.run("ALTER TABLE line RENAME TO queue")
        await wait_until(lambda: is_now(service, "queue_length", Outcome.PASS))
        assert exported(service, "check_value", "queue_length") == 0


async def test_checks_may_have_any_name_whatever_the_service_does_besides(
    app_database_url: str,
) -> None:
    names = ("refresh", "history", "repairs", "state_refresh", "history_sweep", "repair_pass")
    own = [{**OWN, "name": name} for name in names]
    async with gallery(app_database_url), watching(app_database_url, sql=own) as service:
        await wait_until(lambda: all(is_now(service, name, Outcome.PASS) for name in names))


async def test_the_apps_own_table_renamed_is_an_error_of_all_that_read_it_and_nothing_ends(
    app_database_url: str,
) -> None:
    names = ("timestamps", "pool_exhaustion", "artwork_supply")
    async with (
        gallery(app_database_url) as app,
        watching(app_database_url, sql=[OWN], **soon("structure", *names)) as service,
    ):
        everything = (*names, "census", "structure")
        await wait_until(lambda: all(is_now(service, name, Outcome.PASS) for name in everything))
        await app.run("ALTER TABLE art_sessions RENAME TO paintings")
        lost = {**dict.fromkeys(everything, Outcome.ERROR), "structure": Outcome.FAIL}
        await wait_until(lambda: all(is_now(service, *one) for one in lost.items()))
        assert is_now(service, "queue_length", Outcome.PASS)
        await wait_until(lambda: exported(service, "check_value", "census") is None)
        await app.run("ALTER TABLE paintings RENAME TO art_sessions")
        await wait_until(lambda: all(is_now(service, name, Outcome.PASS) for name in everything))


async def test_a_check_that_hangs_is_given_up_and_the_others_go_on(app_database_url: str) -> None:
    slow = {
        "name": "slow",
        "query": "SELECT 1 FROM pg_sleep(60)",
        "timeout": "200ms",
        "every": "1s",
    }
    async with gallery(app_database_url), watching(app_database_url, sql=[slow, OWN]) as service:
        await wait_until(lambda: is_now(service, "slow", Outcome.ERROR))
        assert "longer than it may" in shown(service, "slow").message
        assert (shown(service, "slow").duration_seconds or 99) < 10
        await wait_until(lambda: is_now(service, "queue_length", Outcome.PASS))


async def test_a_query_that_writes_is_refused_and_costs_nobody_the_connection(
    app_database_url: str,
) -> None:
    writes = {"name": "writes", "query": "SELECT nextval('numbers')", "every": "300ms"}
    async with gallery(app_database_url) as app:
        await app.run("CREATE SEQUENCE numbers; GRANT ALL ON SEQUENCE numbers TO PUBLIC")
        async with watching(app_database_url, sql=[writes]) as service:
            await wait_until(lambda: is_now(service, "writes", Outcome.ERROR))
            assert "wants to write" in shown(service, "writes").message
            assert service.board.current.database_up


async def test_an_interval_is_stretched_until_the_check_keeps_to_its_budget(
    app_database_url: str,
) -> None:
    slow = {
        "name": "slow",
        "query": "SELECT 1 FROM pg_sleep(0.1)",
        "every": "300ms",
        "budget": "10%",
    }
    async with gallery(app_database_url) as app:
        async with watching(app_database_url, sql=[slow]) as service:
            await wait_until(lambda: shown(service, "slow").interval_seconds >= 1)
            assert shown(service, "slow").configured_interval_seconds == 0.3
            assert (exported(service, "check_interval_seconds", "slow") or 0) >= 1
            ran = shown(service, "slow").last_run or 0
            await wait_until(lambda: (shown(service, "slow").last_run or 0) > ran + 1.5)
        gaps = await app.rows(
            "SELECT extract(epoch FROM taken_at - lag(taken_at) OVER (ORDER BY taken_at))::float8"
            " FROM conservator.check_result WHERE name = 'slow'"
        )
        assert gaps[-1][0] > 0.75


async def test_since_when_is_exact_and_survives_a_restart(app_database_url: str) -> None:
    async with gallery(app_database_url) as app:
        limits = {**OWN, "warn": "> 0", "fail": "> 1"}
        async with watching(app_database_url, sql=[limits]) as service:
            for rows, outcome in ((0, Outcome.PASS), (1, Outcome.WARN), (2, Outcome.FAIL)):
                await app.run(
                    f"TRUNCATE queue; INSERT INTO queue SELECT generate_series(1, {rows})"
                )
                await wait_until(partial(is_now, service, "queue_length", outcome))
            failing = shown(service, "queue_length")
        changes = await app.rows(
            "SELECT before, after, value, extract(epoch FROM changed_at)::float8"
            " FROM conservator.check_transition WHERE name = 'queue_length' ORDER BY id"
        )
        steps = [tuple(change[:3]) for change in changes]
        assert steps[0] == (None, "pass", 0.0)
        assert steps[-1][1:] == ("fail", 2.0)
        assert [step[0] for step in steps[1:]] == [step[1] for step in steps[:-1]]
        assert failing.since is not None
        assert abs(changes[-1][3] - failing.since) < 1
        async with watching(app_database_url, sql=[limits]) as service:
            ran = failing.last_run or 0
            await wait_until(lambda: (shown(service, "queue_length").last_run or 0) > ran + 0.1)
            again = shown(service, "queue_length")
            assert again.outcome is Outcome.FAIL
            assert again.since == changes[-1][3]
        assert await app.value("SELECT count(*) FROM conservator.check_transition") >= len(changes)
        kept = await app.rows(
            "SELECT outcome, value FROM conservator.check_result WHERE name = 'queue_length'"
            " ORDER BY taken_at"
        )
        assert kept[0] == ("pass", 0.0)
        assert kept[-1] == ("fail", 2.0)


async def test_results_found_while_the_database_was_away_are_kept_in_order(
    app_database_url: str,
) -> None:
    async with gallery(app_database_url) as app:
        async with watching(app_database_url) as service:
            await wait_until(lambda: is_now(service, "census", Outcome.PASS))
            await app.run("ALTER TABLE conservator.check_result RENAME TO elsewhere")
            await app.plant(users=4, artworks=5)
            await wait_until(lambda: is_now(service, "census", Outcome.FAIL))
            since = shown(service, "census").since or 0
            await wait_until(lambda: (shown(service, "census").last_run or 0) > since + 2)
            await app.run("ALTER TABLE conservator.elsewhere RENAME TO check_result")

            async def kept() -> bool:
                return bool(
                    await app.value(
                        "SELECT count(*) FROM conservator.check_transition"
                        " WHERE name = 'census' AND after = 'fail'"
                    )
                )

            await wait_until(kept)
        rows = await app.rows(
            "SELECT before, after, extract(epoch FROM changed_at)::float8"
            " FROM conservator.check_transition WHERE name = 'census' ORDER BY id"
        )
        assert [row[:2] for row in rows] == [(None, "pass"), ("pass", "fail")]
        assert abs(rows[1][2] - since) < 1


async def test_one_checks_results_are_told_apart_from_another_replicas_facts(
    app_database_url: str,
) -> None:
    owned = {**OWN, "owner": "gallery team", "runbook": "https://example.org/queue", "fail": "> 3"}
    async with (
        gallery(app_database_url),
        watching(app_database_url, sql=[owned]) as leader,
        watching(app_database_url, sql=[owned]) as follower,
    ):
        await wait_until(lambda: is_now(follower, "queue_length", Outcome.PASS))
        assert leader.board.current.leader
        assert not follower.board.current.leader
        facts = shown(follower, "queue_length").facts
        assert (facts.owner, facts.fail) == ("gallery team", "> 3")
        assert replace(facts, warn=None) == shown(leader, "queue_length").facts
