"""`serve` as its callers see it: metrics, stats, backfill, runs, the kill switch."""

from __future__ import annotations

from pathlib import Path

from tests.support.commands import STATE, gallery_at, on_one_server
from tests.support.http import Client

pytestmark = on_one_server

LEGACY = 'conservator_artworks{state="legacy_untracked"}'
WRITTEN = "conservator_heal_impressions_total"
BACKFILL = "api/artworks/backfill-impressions"
INSERTED = f"SELECT sum(inserted) FROM {STATE}.run"
OBSERVE = {"mode": "observe"}
READ_TOKEN = "read-token-of-the-acceptance-tests"
APP_TOKEN = "app-token-of-the-acceptance-tests"


def counts(client: Client) -> dict[str, float]:
    """The four counts of the last census."""
    stats = client.get("api/artworks/stats").json
    return {state: stats[state] for state in ("tracked", "fresh", "storage", "legacy_untracked")}


async def test_what_is_planted_is_healed_without_anyone_asking(
    app_database_url: str, tmp_path: Path
) -> None:
    # A tenth and more of the impressions will vanish, and be healed all the same.
    healing = {"consecutive": 3, "cooldown": "0s", "breaker": {"max_tracked_drop": "100%"}}
    work = await gallery_at(app_database_url, tmp_path, healing=healing)
    with work.started("serve") as service:
        client = service.client()
        service.until(lambda: LEGACY in client.metrics())
        planted = client.metrics()[LEGACY]
        assert planted > 0
        service.until(lambda: client.metrics()[LEGACY] == 0)
        service.until(lambda: client.metrics()[WRITTEN] == planted)
        work.rows(
            "DELETE FROM user_art_impressions AS i USING art_sessions AS a"
            " WHERE a.id = i.artwork_id AND a.created_at < now() - interval '40 days'"
        )
        service.until(lambda: client.metrics()[WRITTEN] > planted)
        service.until(lambda: client.metrics()[LEGACY] == 0)
        # The totals are read back from the database a little later than the census is published.
        service.until(lambda: client.metrics()[WRITTEN] == work.value(INSERTED))
        metrics = client.metrics()
        assert metrics["conservator_leader"] == metrics["conservator_database_up"] == 1
        assert metrics['conservator_check_outcome{check="census",outcome="pass"}'] == 1
        assert counts(client)["legacy_untracked"] == 0
        assert service.stop().code == 0
    assert work.value(INSERTED) == metrics[WRITTEN]


async def test_a_user_is_backfilled_once_unless_forced(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path, healing=OBSERVE)
    user = work.affected_user()
    with work.started("serve") as service:
        client = service.client()
        stats = client.get(f"api/artworks/stats?user_id={user}").json
        legacy = stats["legacy_untracked"]
        assert legacy > 0
        dry = client.post(BACKFILL, {"user_id": user, "dry_run": True})
        assert dry.json == {"would_update": legacy}
        first = client.post(BACKFILL, {"user_id": user})
        assert first.json["updated"] == legacy
        again = client.post(BACKFILL, {"user_id": user})
        assert again.json == {"updated": 0, "skipped": True}
        taken = "DELETE FROM user_art_impressions WHERE user_id = %(user)s AND artwork_id = ("
        work.rows(
            f"{taken} SELECT artwork_id FROM {STATE}.backfilled_impression"
            " WHERE user_id = %(user)s LIMIT 1)",
            user=user,
        )
        assert client.post(BACKFILL, {"user_id": user}).json["skipped"]
        forced = client.post(BACKFILL, {"user_id": user, "force": True})
        assert forced.json["updated"] == 1
        healed = client.get(f"api/artworks/stats?user_id={user}").json
        assert healed["tracked"] == stats["tracked"] + legacy
        assert client.get("api/artworks/stats?user_id=nobody").status == 404
        assert client.post(BACKFILL, {"user_id": "nobody"}).status == 404


async def test_everyone_is_backfilled_by_a_run_that_can_be_followed(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path, healing=OBSERVE)
    with work.started("serve") as service:
        client = service.client()
        service.until(lambda: client.get("api/artworks/stats").status == 200)
        legacy = counts(client)["legacy_untracked"]
        assert client.post(BACKFILL, {"all": True, "dry_run": True}).json["would_update"] == legacy
        asked = client.post(BACKFILL, {"all": True})
        assert asked.status == 202
        run = f"api/runs/{asked.json['run_id']}"
        service.until(lambda: client.get(run).json["run"]["state"] == "succeeded")
        followed = client.get(run).json
        assert followed["run"]["inserted"] == legacy
        assert sum(batch["inserted"] for batch in followed["batches"]) == legacy
        assert [one["id"] for one in client.get("api/runs").json["runs"]] == [followed["run"]["id"]]
        service.until(lambda: counts(client)["legacy_untracked"] == 0)
        assert client.get("api/runs/4711").status == 404


async def test_reading_is_answered_from_memory_in_every_shape(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path, healing=OBSERVE)
    with work.started("serve") as service:
        client = service.client(token=None)
        service.until(lambda: client.get("api/artworks/stats").status == 200)
        assert client.get("healthz").status == client.get("readyz").status == 200
        checks = {check["name"]: check for check in client.get("api/checks").json["checks"]}
        assert checks["census"]["outcome"] == "fail"
        assert checks["structure"]["outcome"] in {"pass", "warn"}
        service.until(lambda: "legacy" in client.get("").text)
        assert client.get("").headers["Content-Type"].startswith("text/html")
        assert client.get("nowhere").code == "not_found"
        open_metrics = client.get("metrics", Accept="application/openmetrics-text; version=1.0.0")
        assert open_metrics.headers["Content-Type"].startswith("application/openmetrics-text")
        assert open_metrics.text.endswith("# EOF\n")


async def test_paused_nobody_writes_and_resume_goes_on(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path, healing=OBSERVE)
    before, user = work.impressions(), work.affected_user()
    with work.started("serve") as service:
        client = service.client()
        assert client.post("api/healing/pause", {"reason": "we look"}).status == 200
        assert client.metrics()["conservator_healing_paused"] == 1
        for body in ({"user_id": user}, {"all": True}):
            refused = client.post(BACKFILL, body)
            assert (refused.status, refused.code) == (409, "paused")
        told = work.run("heal", "--yes")
        assert told.code == 1
        assert "we look" in told.sentence
        assert work.impressions() == before
        assert client.post("api/healing/resume").status == 200
        assert client.metrics()["conservator_healing_paused"] == 0
        assert client.post(BACKFILL, {"user_id": user}).json["updated"] > 0


async def test_every_caller_may_do_what_its_token_says_and_no_more(
    app_database_url: str, tmp_path: Path
) -> None:
    tokens = {"read_token": READ_TOKEN, "app_token": APP_TOKEN}
    work = await gallery_at(app_database_url, tmp_path, healing=OBSERVE, server=tokens)
    user = {"user_id": work.affected_user(), "dry_run": True}
    everyone = {"all": True, "dry_run": True}
    with work.started("serve") as service:
        admin = service.client()
        service.until(lambda: admin.get("api/artworks/stats").status == 200)
        expected = {
            None: (200, 401, 401, 401, 401),
            "a-token-that-nobody-has": (200, 401, 401, 401, 401),
            READ_TOKEN: (200, 200, 403, 403, 403),
            APP_TOKEN: (200, 200, 200, 403, 403),
            admin.token: (200, 200, 200, 200, 200),
        }
        found = {}
        for token in expected:
            client = Client(admin.address, token)
            found[token] = (
                client.get("healthz").status,
                client.get("metrics").status,
                client.post(BACKFILL, user).status,
                client.post(BACKFILL, everyone).status,
                client.post("api/healing/resume").status,
            )
        assert found == expected
