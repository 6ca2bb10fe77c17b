"""`check` and `doctor`: verdicts as exit codes, for people, programs and Prometheus."""

from __future__ import annotations

from pathlib import Path

from tests.support.commands import gallery_at, on_one_server
from tests.support.http import samples

pytestmark = on_one_server
LEGACY = 'conservator_artworks{state="legacy_untracked"}'


async def test_check_fails_until_the_gallery_is_healed(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    before = work.run("check")
    assert before.code == 1, before
    assert "census fail" in before.words
    assert "structure" in before.words
    assert work.run("heal", "--yes").code == 0
    after = work.run("check", "census", "--json")
    assert after.code == 0, after
    [census] = after.json["checks"]
    assert (census["name"], census["outcome"], census["value"]) == ("census", "pass", 0)
    assert after.json["census"]["legacy_untracked"] == 0


async def test_check_writes_metrics_for_node_exporter(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    before = work.next_transaction()
    checked = work.run("check", "--json", "--textfile", "conservator.prom")
    assert checked.code == 1
    assert work.next_transaction() == before
    census = checked.json["census"]
    found = samples((tmp_path / "conservator.prom").read_text())
    states = ("tracked", "fresh", "storage", "legacy_untracked")
    assert {state: found[f'conservator_artworks{{state="{state}"}}'] for state in states} == {
        state: census[state] for state in states
    }
    assert found[LEGACY] > 0
    assert found['conservator_check_outcome{check="census",outcome="fail"}'] == 1


async def test_a_check_that_could_not_be_evaluated_is_no_failure(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    work.rows("ALTER TABLE art_sessions RENAME TO paintings")
    checked, everything, doctor = work.run_each("check census --json", "check", "doctor --json")
    assert checked.code == 3
    [census] = checked.json["checks"]
    assert census["outcome"] == "error"
    assert "art_sessions" in census["message"]
    assert everything.code == 3
    assert "art_sessions" in everything.words + everything.err
    assert doctor.code == 1
    assert any("art_sessions" in finding["subject"] for finding in doctor.json["findings"])


async def test_doctor_says_what_keeps_healing_from_working(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    assert work.run("doctor").code == 0
    work.rows("DROP INDEX user_art_impressions_unique_user_artwork")
    doctor = work.run("doctor")
    assert doctor.code == 1
    assert "CREATE UNIQUE INDEX" in doctor.words
