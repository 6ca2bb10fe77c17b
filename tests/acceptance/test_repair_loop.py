"""From orphans to the alert, to the repair that deletes them, and back: with the real programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.alertmanager import Stack, stack
from tests.support.commands import Running, Workplace, gallery_at, on_one_server
from tests.support.http import Client
from tests.support.prometheus import free_port

ALERT_TOKEN = "alert-token-of-the-acceptance-tests"
PATIENCE = 60.0  # seconds
NUMBER = 7
FAILING = (
    'ALERTS{alertname="ConservatorCheckFailing",check="orphan_impressions",alertstate="firing"}'
)
PENDING = 'ALERTS{alertname="ConservatorRepairPending",repair="orphans",alertstate="firing"}'
PLANT = (
    "ALTER TABLE user_art_impressions DROP CONSTRAINT user_art_impressions_user_id_fkey",
    "INSERT INTO user_art_impressions (user_id, artwork_id)"
    f" SELECT 'nobody', id FROM (SELECT id FROM art_sessions ORDER BY id LIMIT {NUMBER}) AS a",
)
ORPHANS: dict[str, Any] = {
    "name": "orphans",
    "check": "orphan_impressions",
    "table": "user_art_impressions",
    "find": "SELECT i.id FROM user_art_impressions i LEFT JOIN users u ON u.id = i.user_id"
    " WHERE u.id IS NULL",
    "action": "delete",
    "cooldown": "1s",
    "breaker": {"max_share": "50%"},
}
OFTEN = {"every": "1s", "budget": None}
CHECKS = {"census": OFTEN, "orphan_impressions": OFTEN}


def orphans(work: Workplace) -> list[tuple[Any, ...]]:
    """Every one of them, whole."""
    return work.rows("SELECT * FROM user_art_impressions WHERE user_id = 'nobody' ORDER BY id")


def decided(client: Client) -> str | None:
    [repair] = client.get("api/repairs").json["repairs"]
    decision = repair["decision"]
    return None if decision is None else str(decision["code"])


def until_decided(service: Running, code: str) -> None:
    client = service.client()
    service.until(lambda: decided(client) == code, PATIENCE)


def fires(run: Stack, alert: str) -> bool:
    return bool(run.query(alert))


@on_one_server
async def test_orphans_fail_their_check_are_mended_and_an_undo_gives_them_back(
    app_database_url: str, tmp_path: Path
) -> None:
    port = free_port()
    common: dict[str, Any] = {
        "server": {"port": port, "alert_token": ALERT_TOKEN},
        "checks": CHECKS,
        "healing": {"mode": "observe"},
    }
    work = await gallery_at(app_database_url, tmp_path)
    for statement in PLANT:
        work.rows(statement)
    planted = orphans(work)
    assert len(planted) == NUMBER
    async with stack(tmp_path, port, ALERT_TOKEN) as run:
        work.configure(**common, repairs=[{**ORPHANS, "mode": "observe"}])
        with work.started("serve") as service:
            only_reports(service, run)
            assert service.stop().code == 0
        assert orphans(work) == planted
        work.configure(**common, repairs=[{**ORPHANS, "mode": "heal"}])
        with work.started("serve") as service:
            mends(service, run)
            assert orphans(work) == []
            gives_back(service, run)
            assert orphans(work) == planted
            done = work.run("resume", "orphans")
            assert done.code == 0, done
            until_decided(service, "clean")
            service.until(lambda: not fires(run, FAILING), PATIENCE)
            assert orphans(work) == []
            assert service.stop().code == 0


def only_reports(service: Running, run: Stack) -> None:
    """In `observe`: check, alert, metric and decision say it, and nothing is done."""
    client = service.client()
    service.until(lambda: fires(run, FAILING), PATIENCE)
    service.until(lambda: fires(run, PENDING), PATIENCE)
    until_decided(service, "observe")
    metrics = client.metrics()
    assert metrics['conservator_repair_pending{repair="orphans"}'] == NUMBER
    assert metrics['conservator_repair_suspended{repair="orphans"}'] == 1
    assert metrics['conservator_repair_runs_total{repair="orphans"}'] == 0
    [check] = [
        one
        for one in client.get("api/checks").json["checks"]
        if one["name"] == "orphan_impressions"
    ]
    assert (check["outcome"], check["repairs"]) == ("fail", ["orphans"])
    would = client.post("api/repairs/orphans", {"dry_run": True}).json
    assert (would["would_mend"], len(would["keys"])) == (NUMBER, NUMBER)
    assert client.get("api/runs").json["runs"] == []


def mends(service: Running, run: Stack) -> None:
    """In `heal`: a verified run, the check passes, and the alert ends by itself."""
    client = service.client()
    until_decided(service, "clean")
    service.until(lambda: not fires(run, FAILING), PATIENCE)
    [mended] = client.get("api/runs").json["runs"]
    assert (mended["kind"], mended["repair"], mended["trigger"]) == (
        "repair",
        "orphans",
        "schedule",
    )
    assert (mended["state"], mended["inserted"], mended["remaining"]) == ("succeeded", NUMBER, 0)
    metrics = client.metrics()
    assert metrics['conservator_repair_rows_total{repair="orphans"}'] == NUMBER
    assert metrics['conservator_check_outcome{check="orphan_impressions",outcome="pass"}'] == 1
    service.until(
        lambda: client.metrics()['conservator_repair_pending{repair="orphans"}'] == 0, PATIENCE
    )
    past = client.get("api/repairs/orphans").json["decisions"]
    assert [one["code"] for one in past if one["kind"] == "heal"] == ["check_fails"]


def gives_back(service: Running, run: Stack) -> None:
    """The undo suspends the repair, although its check fails again."""
    client = service.client()
    [mended] = client.get("api/runs").json["runs"]
    path = f"api/runs/{mended['id']}/undo"
    assert client.post(path, {"dry_run": True}).json["would_undo"] == NUMBER
    assert client.post(path, {}).status == 202
    service.until(lambda: fires(run, FAILING), PATIENCE)
    until_decided(service, "suspended")
    undo, *_ = client.get("api/runs").json["runs"]
    assert (undo["kind"], undo["state"], undo["inserted"]) == ("undo", "succeeded", NUMBER)
    assert client.metrics()['conservator_repair_undone_rows_total{repair="orphans"}'] == NUMBER
    [repair] = client.get("api/repairs").json["repairs"]
    assert repair["suspended"]
    assert len(client.get("api/runs").json["runs"]) == 2
