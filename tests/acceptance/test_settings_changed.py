"""`heal` is killed, the tables are configured otherwise, and `heal`, `runs`, `undo` know it."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.support.commands import STATE, gallery_at, on_one_server
from tests.support.healing import prepare_state
from tests.support.waiting import wait_until_sync

pytestmark = on_one_server

OTHER = {
    "impressions": {"table": "looks", "user": "visitor", "artwork": "artwork", "viewed_at": "at"}
}
LOOKS = """
CREATE TABLE looks AS
SELECT user_id AS visitor, artwork_id AS artwork, viewed_at AS at FROM user_art_impressions;
ALTER TABLE looks ADD PRIMARY KEY (visitor, artwork), ALTER at SET NOT NULL;
CREATE TABLE first AS TABLE user_art_impressions
"""
SLOW = {
    "mode": "observe",
    "breaker": {"max_share": "100%"},
    "pace": {"max_batch": 5, "duty": "50%"},
}
DIFFERENT = """
(TABLE user_art_impressions EXCEPT ALL TABLE first)
UNION ALL (TABLE first EXCEPT ALL TABLE user_art_impressions)
"""


async def test_a_run_that_was_killed_is_ended_shown_and_taken_back_by_its_own_settings(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path, healing=SLOW, lease="300ms")
    work.rows(LOOKS)
    await prepare_state(app_database_url)
    with work.started("heal", "--yes") as process:
        process.until(lambda: work.value(f"SELECT coalesce(max(batches), 0) FROM {STATE}.run") > 2)
        process.stop(signal.SIGKILL)
    written = work.value(f"SELECT count(*) FROM {STATE}.backfilled_impression")
    wait_until_sync(lambda: bool(work.value(f"SELECT lease_until < now() FROM {STATE}.run")))
    work.configure(healing={**SLOW, "pace": {"duty": "100%"}}, lease="300ms", catalog=OTHER)
    planned = work.run("heal", "--dry-run")
    assert planned.code == 0
    told = "planned under other settings (catalog.impressions.artwork, catalog.impressions.table,"
    assert f"Run 1 was put down at {written} of" in planned.words
    assert told in planned.words
    assert work.value(f"SELECT state FROM {STATE}.run") == "running"
    healed = work.run("heal", "--yes")
    assert healed.code == 0, healed
    assert told in healed.words
    assert work.rows(f"SELECT id, state FROM {STATE}.run ORDER BY id") == [
        (1, "partial"),
        (2, "succeeded"),
    ]
    one, program, two = work.run_each("runs 1", "runs 1 --json", "runs 2 --json")
    assert "Configured otherwise by now: catalog.impressions.artwork," in one.words
    assert program.json["other_settings"][0] == "catalog.impressions.artwork"
    assert two.json["other_settings"] == []
    looks = work.contents()["looks"]
    undone = work.run("undo", "1", "--yes")
    assert undone.code == 0, undone
    assert f"Took back {written} of {written} impressions of run 1" in undone.words
    assert work.rows(DIFFERENT) == []
    assert work.contents()["looks"] == looks
    work.configure(lease="300ms")
    work.rows("DROP TABLE looks")
    gone = work.run("undo", "2", "--yes")
    assert (gone.code, gone.out) == (1, "")
    assert gone.sentence.startswith("Run 2 wrote to looks, which is not there any more")
