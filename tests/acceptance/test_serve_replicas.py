"""Two real `serve` processes on one database: one leads; killed or frozen, the other goes on."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.commands import STATE, Running, Workplace, gallery_at, on_one_server
from tests.support.http import Client
from tests.support.waiting import wait_until_sync

pytestmark = on_one_server

LEASE = 2.0
PATIENCE = 60.0
SLOWLY: dict[str, Any] = {"cooldown": "0s", "pace": {"max_batch": 20, "duty": "20%"}}
LEGACY = 'conservator_artworks{state="legacy_untracked"}'
WRITTEN = "conservator_heal_impressions_total"
OWN = {
    "conservator_build_info",
    "conservator_leader",
    "conservator_database_up",
    "conservator_http_refused_total",
}
LEDGER = f"""
SELECT count(*) FROM {STATE}.backfilled_impression
JOIN user_art_impressions USING (user_id, artwork_id, viewed_at)
"""
DOUBLED = f"""
SELECT count(*) - count(DISTINCT (user_id, artwork_id)) FROM {STATE}.backfilled_impression
"""


@contextmanager
def two(work: Workplace) -> Iterator[tuple[Running, Running]]:
    """The leader, and one that stands by."""
    with ExitStack() as stack:
        first = stack.enter_context(work.started("serve"))
        client = first.client()
        first.until(lambda: client.metrics().get("conservator_leader") == 1)
        second = stack.enter_context(work.started("serve"))
        assert second.client().metrics()["conservator_leader"] == 0
        yield first, second


def in_the_middle(service: Running) -> Client:
    """A client, once a heal run is under way and some of it is committed."""
    client = service.client()

    def begun() -> bool:
        runs = client.get("api/runs").json["runs"]
        return bool(runs) and runs[0]["batches"] >= 3

    service.until(begun, PATIENCE)
    return client


def ours(metrics: dict[str, float]) -> set[str]:
    return {name.partition("{")[0] for name in metrics if name.startswith("conservator_")}


def assert_nothing_lost_or_doubled(work: Workplace, before: int) -> None:
    [(state, planned, inserted)] = work.rows(
        f"SELECT state, planned_rows, inserted FROM {STATE}.run"
    )
    assert (state, inserted) == ("succeeded", planned)
    assert work.impressions() - before == inserted == work.value(LEDGER)
    assert work.value(DOUBLED) == 0
    assert work.value(f"SELECT sum(inserted) FROM {STATE}.batch") == inserted
    total = work.value(f"SELECT value FROM {STATE}.counter WHERE name = 'heal_impressions'")
    assert total == inserted


async def test_a_follower_serves_what_the_leader_found_and_exports_only_itself(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path, healing={"mode": "observe"})
    with two(work) as (leader, follower):
        leads, stands_by = leader.client(), follower.client()
        leader.until(lambda: LEGACY in leads.metrics(), PATIENCE)
        follower.until(lambda: stands_by.get("api/artworks/stats").status == 200, PATIENCE)
        assert ours(stands_by.metrics()) == OWN
        assert "process_resident_memory_bytes" in stands_by.metrics()
        legacy = stands_by.get("api/artworks/stats").json["legacy_untracked"]
        assert legacy == leads.metrics()[LEGACY] > 0

        def shows_checks() -> bool:
            told = stands_by.get("api/checks").json
            checks = {check["name"]: check["outcome"] for check in told["checks"]}
            return checks.get("census") == "fail" and checks.get("structure") is not None

        follower.until(shows_checks, PATIENCE)
        told, told_by_leader = stands_by.get("api/checks").json, leads.get("api/checks").json
        assert (told["leader"], told_by_leader["leader"]) == (False, True)
        assert told["led_by"] == told_by_leader["led_by"] in stands_by.get("").text
        assert stands_by.get("readyz").status == 200
        assert "this replica stands by" in stands_by.get("").text
        assert "This replica leads." in leads.get("").text
        # Everybody may ask anybody.
        user = {"user_id": work.affected_user()}
        updated = stands_by.post("api/artworks/backfill-impressions", user).json["updated"]
        assert updated > 0
        leader.until(lambda: leads.metrics()[WRITTEN] == updated, PATIENCE)


async def test_when_the_leader_is_killed_the_other_goes_on_and_totals_continue(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path, healing=SLOWLY)
    before = work.impressions()
    with two(work) as (leader, follower):
        stands_by = follower.client()
        seen = in_the_middle(leader).metrics()[WRITTEN]
        killed = time.monotonic()
        assert leader.stop(signal.SIGKILL).code == -signal.SIGKILL
        reported: list[float] = []

        def takes_over() -> bool:
            metrics = stands_by.metrics()
            reported.extend(metrics[name] for name in (WRITTEN,) if name in metrics)
            return metrics["conservator_leader"] == 1

        follower.until(takes_over, PATIENCE)
        assert time.monotonic() - killed < 3 * LEASE
        assert reported[0] >= seen
        follower.until(lambda: stands_by.metrics().get(LEGACY) == 0, PATIENCE)
        follower.until(
            lambda: stands_by.get("api/runs/1").json["run"]["state"] == "succeeded", PATIENCE
        )
        follower.until(lambda: stands_by.metrics()[WRITTEN] == work.value(LEDGER), PATIENCE)
        assert stands_by.get("api/runs/1").json["run"]["holder"] in stands_by.get("").text
        assert follower.stop().code == 0
    assert_nothing_lost_or_doubled(work, before)


@pytest.mark.parametrize("inside", [False, True], ids=["between batches", "inside a batch"])
async def test_a_leader_that_was_frozen_finds_another_token_and_writes_nothing(
    inside: bool, app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(
        app_database_url, tmp_path, healing=SLOWLY, database={"lock_timeout": "30s"}
    )
    before = work.impressions()
    with two(work) as (leader, follower):
        stands_by = follower.client()
        in_the_middle(leader)
        holder = work.value(f"SELECT holder FROM {STATE}.run")
        with psycopg.connect(work.conninfo) as app:
            if inside:
                app.execute("LOCK TABLE user_art_impressions IN SHARE MODE")
                leader.until(lambda: bool(blocked(work)), PATIENCE)
            leader.process.send_signal(signal.SIGSTOP)
        follower.until(lambda: stands_by.metrics()["conservator_leader"] == 1, PATIENCE)
        follower.until(lambda: taken_over(work, holder), PATIENCE)
        leader.process.send_signal(signal.SIGCONT)
        leader.until(lambda: bool(leader.events("lease_lost")), PATIENCE)
        resumed = leader.client()
        leader.until(lambda: resumed.metrics()["conservator_leader"] == 0, PATIENCE)
        assert ours(resumed.metrics()) == OWN
        follower.until(
            lambda: stands_by.get("api/runs/1").json["run"]["state"] == "succeeded", PATIENCE
        )
        follower.until(lambda: stands_by.metrics().get(LEGACY) == 0, PATIENCE)
        assert sum(c.metrics()["conservator_leader"] for c in (resumed, stands_by)) == 1
        assert leader.stop().code == follower.stop().code == 0
    assert_nothing_lost_or_doubled(work, before)
    assert work.value(f"SELECT token FROM {STATE}.run") >= 2


def blocked(work: Workplace) -> int:
    """Batches that wait for a lock."""
    return int(
        work.value(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND application_name = 'conservator' AND datname = current_database()"
        )
    )


def taken_over(work: Workplace, holder: str) -> bool:
    """Somebody else works on the run, and has written a batch of it."""
    [(now, batches)] = work.rows(f"SELECT holder, batches FROM {STATE}.run")
    return bool(now != holder and batches > 3)


async def test_sigterm_waits_for_the_batch_at_hand_says_so_and_lays_the_lead_down(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(
        app_database_url, tmp_path, healing=SLOWLY, database={"lock_timeout": "30s"}
    )
    before = work.impressions()
    with work.started("serve") as service:
        in_the_middle(service)
        with psycopg.connect(work.conninfo) as app:
            app.execute("LOCK TABLE user_art_impressions IN SHARE MODE")
            service.until(lambda: bool(blocked(work)), PATIENCE)
            batches = work.value(f"SELECT batches FROM {STATE}.run")
            service.process.send_signal(signal.SIGTERM)
            asked = time.monotonic()
            wait_until_sync(lambda: bool(service.events("stopping")))
            # Several seconds, as an app may hold its lock; the stop waits all the while.
            wait_until_sync(lambda: time.monotonic() - asked > 3)
            assert service.process.poll() is None
            assert service.events("stopping")[0]["runs"] == 1
        assert service.ended(10).code == 0
        assert time.monotonic() - asked < 10
    [(state, now)] = work.rows(f"SELECT state, batches FROM {STATE}.run")
    assert (state, now) == ("held", batches + 1)
    assert work.impressions() - before == work.value(LEDGER)
    assert work.value(f"SELECT lease_until <= now() FROM {STATE}.leader")
