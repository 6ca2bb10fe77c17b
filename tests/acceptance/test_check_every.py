"""`check` with everything that a configuration can ask for: prints, exports, exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.commands import gallery_at, on_one_server
from tests.support.healing import prepare_state
from tests.support.http import samples

pytestmark = on_one_server

FINE = {"name": "fine", "query": "SELECT 0", "fail": "> 0"}
LIMITS = {"warn": "> 1", "fail": "> 10"}
WARNS = {"name": "warns", "query": "SELECT 5", **LIMITS, "owner": "gallery team"}
FAILS = {"name": "fails", "query": "SELECT 50", **LIMITS}
BROKEN = {"name": "broken", "query": "SELECT nothing"}


def own(*checks: dict[str, str]) -> dict[str, list[dict[str, str]]]:
    return {"sql": list(checks)}


@pytest.mark.parametrize(
    ("checks", "code"),
    [
        ((FINE,), 0),
        ((FINE, WARNS), 2),
        ((FINE, WARNS, FAILS), 1),
        ((FINE, WARNS, FAILS, BROKEN), 3),
    ],
)
async def test_the_worst_outcome_is_the_exit_code(
    app_database_url: str, tmp_path: Path, checks: tuple[dict[str, str], ...], code: int
) -> None:
    work = await gallery_at(app_database_url, tmp_path, checks=own(*checks))
    assert work.run("check", *(check["name"] for check in checks)).code == code


async def test_a_person_reads_threshold_since_and_examples(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path, checks=own(WARNS, BROKEN))
    work.rows(
        "UPDATE art_sessions SET created_at = created_at + interval '2 years' WHERE id = "
        "(SELECT id FROM art_sessions ORDER BY id LIMIT 1)"
    )
    [[planted]] = work.rows("SELECT id FROM art_sessions ORDER BY id LIMIT 1")
    checked = work.run("check", "warns", "broken", "timestamps", "duplicate_impressions")
    assert checked.code == 3
    assert "warns warn 5 > 1 20" in checked.words, checked
    assert "owner: gallery team" in checked.words
    assert "broken error – 20" in checked.words
    assert 'column "nothing" does not exist' in checked.words
    assert "duplicate_impressions skipped – fail > 0 20" in checked.words
    assert f"artwork_id {planted}" in checked.words


async def test_programs_read_all_of_it(app_database_url: str, tmp_path: Path) -> None:
    work = await gallery_at(app_database_url, tmp_path, checks=own(WARNS, BROKEN))
    checked = work.run("check", "--json", "--textfile", "conservator.prom")
    assert checked.code == 3
    found = {check["name"]: check for check in checked.json["checks"]}
    assert list(found)[:2] == ["census", "structure"]
    assert len(found) == 10
    assert (found["warns"]["outcome"], found["warns"]["value"]) == ("warn", 5)
    assert (found["warns"]["warn"], found["warns"]["fail"]) == ("> 1", "> 10")
    assert found["warns"]["since"] is not None
    assert (found["broken"]["outcome"], found["broken"]["value"]) == ("error", None)
    exported = samples((tmp_path / "conservator.prom").read_text())
    assert exported['conservator_check_value{check="warns"}'] == 5
    assert exported['conservator_check_outcome{check="broken",outcome="error"}'] == 1
    assert 'conservator_check_value{check="broken"}' not in exported


async def test_since_when_is_what_the_service_found_and_nothing_is_written(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path, checks=own(WARNS))
    await prepare_state(app_database_url)
    work.rows(
        "INSERT INTO conservator.check_transition (name, changed_at, before, after, message)"
        " VALUES ('warns', '2026-01-31T12:00:00Z', 'pass', 'warn', '')"
    )
    work.rows(
        "INSERT INTO conservator.check_status (name, outcome, interval_seconds,"
        " configured_interval_seconds) VALUES ('warns', 'warn', 60, 60)"
    )
    before = work.next_transaction()
    [found] = work.run("check", "warns", "--json").json["checks"]
    assert found["since"] == "2026-01-31T12:00:00.000Z"
    assert work.run("check").code in {1, 2}
    assert work.next_transaction() == before


async def test_an_unknown_check_is_named_with_those_that_there_are(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path, checks=own(WARNS))
    refused = work.run("check", "wrans")
    assert refused.code == 64
    assert "wrans" in refused.err
    assert "artwork_supply, warns" in " ".join(refused.err.split())
