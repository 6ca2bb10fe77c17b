"""How `serve` ends: told to, killed, or unable to start; and what it leaves."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import STATE, Running, Workplace, gallery_at, on_one_server
from tests.support.http import Client

pytestmark = on_one_server

SLOWLY: dict[str, Any] = {"cooldown": "1h", "pace": {"max_batch": 3, "duty": "10%"}}
"""Hundreds of batches, and a rest after each that is nine times as long."""
LEDGER = f"""
SELECT count(*) FROM {STATE}.backfilled_impression
JOIN user_art_impressions USING (user_id, artwork_id, viewed_at)
"""


def in_the_middle(service: Running) -> Client:
    """A client, once a heal run is under way and some of it is committed."""
    client = service.client()

    def begun() -> bool:
        runs = client.get("api/runs").json["runs"]
        return bool(runs) and runs[0]["batches"] >= 3

    service.until(begun)
    return client


def run_state(work: Workplace) -> tuple[Any, ...]:
    """The state of the only run, its planned and its written rows."""
    [row] = work.rows(f"SELECT state, planned_rows, inserted FROM {STATE}.run")
    return row


async def test_sigterm_in_the_middle_of_a_run_puts_it_down(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path, healing=SLOWLY)
    before = work.impressions()
    with work.started("serve") as service:
        in_the_middle(service)
        assert service.stop().code == 0
    state, planned, inserted = run_state(work)
    assert state == "held"
    assert 0 < inserted < planned
    assert work.impressions() - before == inserted == work.value(LEDGER)
    taken_up = work.configure().run("heal", "--yes")
    assert taken_up.code == 0, taken_up
    assert f"left unfinished at {inserted} of {planned} rows" in taken_up.words
    assert run_state(work) == ("succeeded", planned, planned)


async def test_a_killed_service_is_replaced_and_nothing_is_lost_or_repeated(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path, healing=SLOWLY)
    before = work.impressions()
    with work.started("serve") as first:
        in_the_middle(first)
        assert first.stop(signal.SIGKILL).code == -signal.SIGKILL
    state, planned, inserted = run_state(work)
    assert state == "running"
    assert 0 < inserted < planned
    assert work.impressions() - before == inserted == work.value(LEDGER)
    work.configure(healing={**SLOWLY, "pace": {"duty": "100%"}})
    with work.started("serve") as second:
        client = second.client()
        second.until(lambda: client.get("api/runs/1").json["run"]["state"] == "succeeded")
        second.until(lambda: client.get("api/artworks/stats").json["legacy_untracked"] == 0)
        assert second.stop().code == 0
    assert run_state(work) == ("succeeded", planned, planned)
    assert work.impressions() - before == planned == work.value(LEDGER)
    batches = work.value(f"SELECT sum(inserted) FROM {STATE}.batch")
    counted = work.value(f"SELECT value FROM {STATE}.counter WHERE name = 'heal_impressions'")
    assert batches == counted == planned


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
async def test_it_ends_in_order_when_there_is_nothing_to_finish(
    number: signal.Signals, app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path, healing={"mode": "observe"})
    with work.started("serve") as service:
        service.client()
        assert service.stop(number).code == 0
        assert service.events("stopped")


async def test_a_port_that_is_taken_is_told_in_one_sentence(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path, healing={"mode": "observe"})
    with work.started("serve") as service:
        client = service.client()
        port = client.address.rstrip("/").rpartition(":")[2]
        work.configure(server={"port": int(port)}, healing={"mode": "observe"})
        second = work.run("serve")
        assert second.code == 78
        said = [line for line in second.err.splitlines() if not line.startswith("{")]
        assert len(said) == 1
        assert f"found {port} taken" in said[0]
        assert client.get("healthz").status == 200
