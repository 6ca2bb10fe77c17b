"""`doctor`: sorted by what it blocks, with one snippet of settings to paste as it is."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from tests.support.commands import Workplace, gallery_at, on_one_server

pytestmark = on_one_server
_PASTE = "To paste into config.yaml"


async def test_the_snippet_is_pasted_as_it_is_and_mends_what_proposed_it(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    work.rows('ALTER TABLE user_art_impressions RENAME viewed_at TO "viewedAt"')
    work.rows("ALTER TABLE user_art_impressions ADD updated_at timestamp")
    work.rows('UPDATE user_art_impressions SET updated_at = "viewedAt", id = gen_random_uuid()')
    work.rows(
        "ALTER TABLE user_art_impressions ALTER updated_at SET NOT NULL, ALTER id DROP DEFAULT"
    )
    work.configure(catalog={"users": {"where": "email <> '${NOBODY:-nobody}' -- $${x}"}})
    first, as_json = work.run_each("doctor", "doctor --json")
    assert (first.code, as_json.code) == (1, 1)
    assert first.out.index("Blocks counting:") < first.out.index("Blocks healing:")
    assert first.out.index("Blocks healing:") < first.out.index("Would help:")

    snippet = first.out.partition(_PASTE)[2].partition("\n")[2].partition("\nCensus:")[0]
    paste(work, snippet)
    checked, second = work.run_each("config check", "doctor --json")
    assert checked.code == 0, checked.err
    before = {(f["code"], f["subject"]) for f in as_json.json["findings"] if f["settings"]}
    after = {(f["code"], f["subject"]) for f in second.json["findings"]}
    assert before
    assert not before & after
    assert second.code == 0, second.out
    assert second.json["settings"] == {}
    told = yaml.safe_load(snippet.replace("$${", "${"))
    assert told == as_json.json["settings"]
    assert told["catalog"]["impressions"] == {
        "viewed_at": "viewedAt",
        "defaults": {"id": "gen_random_uuid()::text", "updated_at": "timezone('UTC', now())"},
    }


async def test_a_statement_is_never_cut(app_database_url: str, tmp_path: Path) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    work.rows("DROP INDEX user_art_impressions_unique_user_artwork")
    long = "user_art_impressions_of_" + "many" * 9
    work.rows(f"ALTER TABLE user_art_impressions RENAME artwork_id TO {long}")
    work.configure(catalog={"impressions": {"artwork": long}})
    told, as_json = work.run_each("doctor", "doctor --json")
    [finding] = [f for f in as_json.json["findings"] if f["code"] == "pair_index_missing"]
    assert len(finding["statements"]) > 200
    assert finding["statements"] in told.out


def paste(work: Workplace, snippet: str) -> None:
    """As a person would: in place of the sections of these names."""
    path = work.directory / "config.yaml"
    kept = json.loads(path.read_text())
    for section in yaml.safe_load(snippet):
        kept.pop(section, None)
    path.write_text(f"{yaml.safe_dump(kept)}{snippet}\n")
