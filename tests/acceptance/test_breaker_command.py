"""The breaker as people meet it: in metrics, API, page and commands."""

from __future__ import annotations

from pathlib import Path

from tests.support.commands import STATE, gallery_at, on_one_server
from tests.support.healing import prepare_state

pytestmark = on_one_server

LEGACY = 'conservator_artworks{state="legacy_untracked"}'
OPEN = "conservator_healing_breaker_open"
WRITTEN = "conservator_heal_impressions_total"
LOST = 'conservator_heal_refusals_total{reason="loss"}'
LITTLE = {"breaker": {"max_share": "1%"}}
BACKFILL = "api/artworks/backfill-impressions"


async def test_an_emptied_table_is_not_healed_and_everybody_can_read_why(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    with work.started("serve") as service:
        client = service.client()
        service.until(lambda: client.metrics().get(LEGACY) == 0)
        written = work.value(f"SELECT count(*) FROM {STATE}.backfilled_impression")
        service.until(lambda: client.metrics()[WRITTEN] == written)
        assert client.metrics()[OPEN] == client.metrics()[LOST] == 0
        service.until(lambda: bool(service.events("tally")))
        work.rows("TRUNCATE user_art_impressions")
        service.until(lambda: client.metrics()[OPEN] == 1)
        shown = client.get("api/healing").json["breaker"]
        assert (shown["open"], shown["code"]) == (True, "loss")
        assert "have vanished since" in shown["reason"]
        assert shown["since"].endswith("Z")
        page = client.get("").text
        assert "Healing has stopped until a person has looked" in page
        assert "have vanished since" in page
        for body in ({"all": True}, {"user_id": work.value("SELECT min(id) FROM users")}):
            refused = client.post(BACKFILL, body)
            assert (refused.status, refused.code) == (409, "breaker_open")
            assert "have vanished since" in refused.text
        # Visitors come back: there is something to heal, and nobody does.
        work.rows(
            "INSERT INTO user_art_impressions (user_id, artwork_id)"
            " SELECT u.id, (SELECT min(id) FROM art_sessions) FROM users AS u"
        )
        service.until(lambda: client.metrics()[LEGACY] > 0)
        seen = client.metrics()[LOST]
        service.until(lambda: client.metrics()[LOST] >= seen + 2)
        assert client.metrics()[WRITTEN] == written
        assert len(service.events("breaker_opened")) == 1
        told = work.run("heal", "--yes")
        assert told.code == 1
        assert "The breaker is open since" in told.sentence
        for way in ("`conservator reset-breaker`", "`conservator heal --beyond-breaker`"):
            assert way in told.sentence
        users = work.value("SELECT count(*) FROM users")
        assert work.impressions() == users


async def test_after_a_reset_it_heals_by_itself_until_the_share_has_fallen(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path, healing=LITTLE)
    with work.started("serve") as service:
        client = service.client()
        service.until(lambda: client.metrics().get(OPEN) == 1)
        assert client.get("api/healing").json["breaker"]["code"] == "max_share"
        before = work.impressions()
        refused = work.run("reset-breaker", stdin="n\n")
        assert refused.code != 0
        assert "healing.breaker.max_share is 1.0%" in refused.words
        assert "of all pairs" in refused.words
        assert client.get("api/healing").json["breaker"]["open"]
        done = work.run("reset-breaker", "--yes", "--json")
        assert (done.code, done.json["code"]) == (0, "max_share")
        assert done.json["accepted_share"] > 0.01
        service.until(lambda: client.metrics()[LEGACY] == 0)
        service.until(lambda: client.get("api/healing").json["breaker"]["accepted_share"] is None)
        assert work.impressions() > before
        again, person, over_http = (
            work.run("reset-breaker", "--yes", "--json"),
            work.run("reset-breaker"),
            client.post("api/healing/reset-breaker"),
        )
        assert (again.code, again.json["was_open"]) == (0, False)
        assert person.code == 0
        assert "there is nothing to reset" in person.words
        assert (over_http.status, over_http.json["was_open"]) == (200, False)


async def test_a_person_may_go_beyond_it_and_it_stays_open(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path, healing=LITTLE)
    await prepare_state(app_database_url)
    user = work.affected_user()
    refused, dry = work.run("heal", "--yes"), work.run("heal", "--dry-run", "--json")
    assert refused.code == 1
    assert dry.json["refused"].endswith(refused.sentence)
    # What one refused is refused to all, per user too.
    single = work.run("heal", "--user", user, "--yes")
    assert (single.code, "The breaker is open since" in single.sentence) == (1, True)
    assert work.value(f"SELECT count(*) FROM {STATE}.run") == 0
    assert work.run("heal", "--user", user, "--yes", "--beyond-breaker").code == 0
    part = work.run("heal", "--max-rows", "50", "--yes", "--beyond-breaker")
    assert part.code == 0, part
    assert "Breaker: The breaker is open since" in part.words
    assert "`conservator reset-breaker` lets automatic healing go on" in part.words
    assert work.value(f"SELECT beyond_breaker FROM {STATE}.run WHERE id = 2")
    assert work.value(f"SELECT breaker_open FROM {STATE}.control")
    assert work.run("heal", "--yes").code == 1
