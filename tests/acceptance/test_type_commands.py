"""Every command, after the app has given its ids another type."""

from __future__ import annotations

from pathlib import Path

from tests.support.commands import Workplace, on_one_server
from tests.support.healing import heal_at
from tests.support.type_changes import LEGACY, VARCHAR_TO_UUID

pytestmark = on_one_server

OLD = "00000000-0000-4000-8000-000000000007"
USER = "00000000-0000-4000-8000-000000000005"
NEWCOMER = "00000000-0000-4000-8000-000000000006"


async def test_each_says_what_is_to_be_done_and_works_when_it_is(
    database_url: str, tmp_path: Path
) -> None:
    work = Workplace(tmp_path, database_url).configure()
    work.rows(VARCHAR_TO_UUID.tables)
    await heal_at(database_url)
    work.rows(VARCHAR_TO_UUID.change)
    contents = work.contents()
    doctor, heal, undo, check, runs, explained, script = work.run_each(
        "doctor",
        "heal --yes",
        "undo 1 --yes",
        "check census structure --json",
        "runs 1 --json",
        f"explain --user {USER} --artwork {OLD}",
        "init --print-sql",
    )
    assert (doctor.code, "should be uuid" in doctor.words) == (1, True)
    assert "conservator init" in doctor.words
    assert (heal.code, "should be uuid" in heal.sentence) == (1, True)
    assert (undo.code, "other types than when they were read" in undo.sentence) == (1, True)
    outcomes = {one["name"]: one["outcome"] for one in check.json["checks"]}
    assert outcomes == {"census": "pass", "structure": "fail"}
    assert runs.json["run"]["inserted"] == LEGACY
    assert "tracked" in explained.words
    assert script.out.count("ALTER TABLE") == 8
    assert work.contents() == contents
    assert "is now at revision" in work.run("init").words
    done = work.run("heal", "--user", NEWCOMER, "--yes", "--json")
    assert (done.code, done.json["run"]["inserted"]) == (0, 7), done
    undone = work.run("undo", "1", "--yes")
    assert undone.code == 0, undone
    assert f"Took back {LEGACY} of {LEGACY}" in undone.words
    assert work.impressions() == 5 + 7
