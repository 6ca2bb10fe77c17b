"""A run that waits says so, wherever a person may look: terminal, `runs`, API, page, metrics."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.support.commands import Workplace, gallery_at, on_one_server, running
from tests.support.healing import prepare_state

pytestmark = on_one_server

WAITING = {"healing": {"mode": "observe", "pace": {"wait_while": "SELECT busy FROM traffic"}}}
SENTENCE = "The SQL of healing.pace.wait_while returns true."
_PATIENCE = 60.0  # seconds


async def busy_at(url: str, directory: Path) -> Workplace:
    """The incident in small, where healing has to wait."""
    work = await gallery_at(url, directory, **WAITING)
    work.rows("CREATE TABLE traffic AS SELECT true AS busy")
    await prepare_state(url)
    return work


def has_kept(work: Workplace) -> Callable[[], bool]:
    """Some waiting has been written down."""
    return lambda: bool(work.rows("SELECT 1 FROM conservator.run_wait"))


async def test_heal_and_runs_say_what_is_waited_for(app_database_url: str, tmp_path: Path) -> None:
    work = await busy_at(app_database_url, tmp_path)
    # As in a terminal, where the progress is drawn anew again and again.
    terminal = {"FORCE_COLOR": "1", "COLUMNS": "100"}
    with running(tmp_path, "heal", "--yes", "--beyond-breaker", **terminal) as healing:
        healing.until(lambda: f"Waiting: {SENTENCE}" in healing.out, _PATIENCE)
        healing.until(has_kept(work), _PATIENCE)
        told, program = work.run_each("runs 1", "runs 1 --json")
        assert f"Waiting now: {SENTENCE}" in told.words
        assert "waited for" in told.words
        assert program.json["run"]["waiting_for"] == SENTENCE
        assert program.json["waits"]["wait_while"] > 0
        work.rows("UPDATE traffic SET busy = false")
        assert healing.ended(_PATIENCE).code == 0
    (after,) = work.run_each("runs 1")
    assert "Waiting now" not in after.words
    assert ": wait_while " in after.words


async def test_the_service_says_what_is_waited_for(app_database_url: str, tmp_path: Path) -> None:
    work = await busy_at(app_database_url, tmp_path)
    work.configure(**{"healing": {**WAITING["healing"], "breaker": {"max_share": "100%"}}})
    with work.started("serve") as service:
        client = service.client()
        service.until(lambda: client.get("readyz").status == 200, _PATIENCE)
        run_id = client.post("api/artworks/backfill-impressions", {"all": True}).json["run_id"]
        service.until(lambda: SENTENCE in client.get("").text, _PATIENCE)
        service.until(has_kept(work), _PATIENCE)
        shown = client.get(f"api/runs/{run_id}").json["run"]
        assert shown["waiting_for"] == SENTENCE
        assert shown["waits"]["wait_while"] > 0
        series = 'conservator_heal_throttled_seconds_total{reason="wait_while"}'
        service.until(lambda: client.metrics()[series] > 0, _PATIENCE)
        work.rows("UPDATE traffic SET busy = false")
        service.until(
            lambda: client.get(f"api/runs/{run_id}").json["run"]["state"] == "succeeded", _PATIENCE
        )
        assert SENTENCE not in client.get("").text
        assert service.stop().code == 0
