"""What a stranger's database allows and forbids: served, counted, planned, told; never healed."""

from __future__ import annotations

from pathlib import Path

from tests.support.commands import STATE, Workplace, gallery_at, on_one_server

pytestmark = on_one_server

BACKFILL = "api/artworks/backfill-impressions"
LEGACY = 'conservator_artworks{state="legacy_untracked"}'
FINDINGS = 'conservator_catalogue_findings{{blocks="{}"}}'
A_VIEW = """
ALTER TABLE user_art_impressions RENAME TO views;
CREATE VIEW user_art_impressions AS SELECT DISTINCT * FROM views
"""
SUSPICIOUS = """
ALTER TABLE user_art_impressions ADD seen boolean NOT NULL DEFAULT true;
UPDATE user_art_impressions SET seen = false
WHERE artwork_id < (SELECT max(artwork_id) FROM user_art_impressions)
"""
NUMBERS = " rows, seen is false in "
NAME = "rows_not_seen"


async def test_a_view_for_the_impressions_is_served_and_counted_and_never_healed(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    work.rows(A_VIEW)
    before, user = work.value("SELECT count(*) FROM views"), work.affected_user()
    with work.started("serve") as service:
        client = service.client()
        service.until(lambda: client.metrics().get(LEGACY, 0) > 0)
        metrics = client.metrics()
        assert metrics[FINDINGS.format("healing")] >= 1
        assert metrics[FINDINGS.format("counting")] == 0
        assert client.get("readyz").status == 200
        stats = client.get("api/artworks/stats").json
        assert (stats["legacy_untracked"], stats["suspicions"]) == (metrics[LEGACY], [])
        service.until(lambda: "catalogue" in client.get("api/healing").text)
        decision = client.get("api/healing").json["decision"]
        told = [decision["reason"], client.get("").text]
        for body in ({"all": True}, {"user_id": user}):
            refused = client.post(BACKFILL, body)
            assert (refused.status, refused.code) == (409, "healing_blocked")
            told.append(refused.text)
        assert all("is a view" in sentence for sentence in told)
    assert work.value("SELECT count(*) FROM views") == before
    assert work.value(f"SELECT count(*) FROM {STATE}.run") == 0


async def test_a_dry_run_says_first_that_healing_is_impossible_and_plans_all_the_same(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    work.rows(
        "DROP INDEX user_art_impressions_unique_user_artwork;"
        "ALTER TABLE user_art_impressions ALTER id DROP DEFAULT"
    )
    contents, user = work.contents(), work.affected_user()
    shown, program, one, one_as_json, healed = work.run_each(
        "heal --dry-run",
        "heal --dry-run --json",
        f"heal --dry-run --user {user}",
        f"heal --dry-run --json --user {user}",
        "heal --yes",
    )
    assert {one.code for one in (shown, program, one, one_as_json, healed)} == {1}
    for done in (shown, one):
        assert done.words.startswith("Healing is impossible until this is mended:")
        assert "CREATE UNIQUE INDEX" in done.words
        assert "user_art_impressions.id" in done.words
    assert "Plan: " in shown.words
    assert "legacy_untracked " in one.words
    for done in (program, one_as_json):
        assert len(done.json["blocked"]) == 2
        assert done.json["suspicions"] == []
        assert done.json["rows"] > 0
        for sentence in done.json["blocked"]:
            assert " ".join(sentence.split()) in " ".join(healed.err.split())
    assert program.json["refused"] == program.json["blocked"][0]
    assert work.contents() == contents


async def test_nothing_offers_a_way_past_a_suspicion(app_database_url: str, tmp_path: Path) -> None:
    # So much is legacy that the breaker opens, too.
    little = {"breaker": {"max_share": "1%"}}
    work = await gallery_at(app_database_url, tmp_path, healing=little)
    work.rows(SUSPICIOUS)
    before = work.impressions()
    with work.started("serve") as service:
        client = service.client()
        service.until(lambda: client.metrics().get("conservator_healing_breaker_open") == 1)
        stats = client.get("api/artworks/stats").json
        assert stats["legacy_untracked"] > 0
        assert stats["suspicions"] == [NAME]
        of_one = client.get(f"api/artworks/stats?user_id={work.affected_user()}").json
        assert of_one["suspicions"] == [NAME]
        page = client.get("").text
        assert "Suspicious." in page
        assert NUMBERS in page
        told = [page, client.get("api/healing").text, client.post(BACKFILL, {"all": True}).text]
        dry, healed, one, checked, as_json = work.run_each(
            "heal --dry-run",
            "heal --yes --beyond-breaker",
            f"heal --yes --beyond-breaker --user {work.affected_user()}",
            "check census",
            "check --json",
        )
        assert (dry.code, healed.code, one.code) == (1, 1, 1)
        told += [dry.words, healed.err, one.err, checked.words]
        for text in told:
            assert NUMBERS in text
            assert "-breaker" not in text
        assert as_json.json["suspicions"] == [NAME]
        assert NAME in healed.err
    assert work.impressions() == before
    assert work.value(f"SELECT count(*) FROM {STATE}.run") == 0


async def test_a_suspicion_that_somebody_has_accepted_is_told_no_more(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path, catalog={"accept": [NAME]})
    work.rows(SUSPICIOUS)
    checked, healed = work.run("check", "census"), work.run("heal", "--yes")
    assert NUMBERS not in checked.out
    assert healed.code == 0, healed


async def test_a_table_that_is_gone_is_named_by_readyz_until_it_is_back(
    app_database_url: str, tmp_path: Path
) -> None:
    # On a busy computer the structure takes a second to read, and its budget then puts the next
    # reading off by half a minute.
    at_once = {"structure": {"budget": None}}
    work: Workplace = await gallery_at(
        app_database_url, tmp_path, healing={"mode": "observe"}, checks=at_once
    )
    with work.started("serve") as service:
        client = service.client()
        service.until(lambda: client.metrics().get(LEGACY, 0) > 0)
        work.rows("ALTER TABLE users RENAME TO people")
        service.until(lambda: client.get("readyz").status == 503)
        gone = client.get("readyz").json
        assert not gone["ready"]
        assert "no table or view named users" in gone["reasons"][0]
        assert client.get("healthz").status == 200
        service.until(lambda: LEGACY not in client.metrics())
        work.rows("ALTER TABLE people RENAME TO users")
        service.until(lambda: client.get("readyz").status == 200)
        service.until(lambda: client.metrics().get(LEGACY, 0) > 0)
