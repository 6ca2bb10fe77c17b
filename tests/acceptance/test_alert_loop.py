"""From a row that is missing to the alert, to the service, and back: with the real programs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from exporters.http.healing import WAKING
from tests.support.alertmanager import Stack, alertmanager, stack
from tests.support.commands import Running, Workplace, gallery_at, on_one_server
from tests.support.grafana import ALERTS, DASHBOARDS
from tests.support.http import Client
from tests.support.prometheus import free_port
from tests.support.waiting import wait_until_sync

ALERT_TOKEN = "alert-token-of-the-acceptance-tests"
PATIENCE = 60.0  # seconds
LEGACY = 'conservator_artworks{state="legacy_untracked"}'
LOST = """
DELETE FROM user_art_impressions AS i USING art_sessions AS a
WHERE a.id = i.artwork_id AND a.created_at < now() - interval '40 days'
"""
OFTEN: dict[str, Any] = {"every": "1s", "budget": None}
NAMES = "census structure duplicate_impressions orphan_impressions timestamps recording_rate"
REPAIR = {
    "name": "tiers",
    "check": "structure",
    "table": "users",
    "find": "SELECT id, 'free' AS subscription_tier FROM users WHERE subscription_tier = 'FREE'",
    "action": "update",
}
CHECKS = dict.fromkeys([*NAMES.split(), "pool_exhaustion", "artwork_supply"], OFTEN)

MAY_BE_EMPTY = {
    "Read replica": "no replica is configured there",
    "ConservatorDataMissing": "it is about the absence of what is there",
}
"""Panels, annotations and rules by title, and why they return nothing before and after healing."""


def expressions() -> Iterator[tuple[str, str]]:
    """Every expression of dashboards and rules, by title; of rules what they compare."""
    for board in DASHBOARDS:
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                yield panel["title"], filled(target["expr"])
        for one in board["annotations"]["list"]:
            yield one["name"], filled(one["expr"])
        for one in board["templating"]["list"]:
            if one["type"] == "query":
                [selected] = re.findall(r"label_values\((.+), \w+\)", one["query"]["query"])
                yield f"${one['name']}", filled(selected)
    for alert in ALERTS:
        # With `bool` a comparison returns what it found instead of filtering it away.
        yield alert.name, re.sub(r" (==|>) ", r" \1 bool ", alert.expr)


def filled(expression: str) -> str:
    """With the variables of a dashboard, as they are at first."""
    for name, value in (("$job", ".+"), ("$instance", ".+"), ("$__rate_interval", "1m")):
        expression = expression.replace(name, value)
    assert "$" not in expression
    return expression


def empty(run: Stack) -> set[tuple[str, str]]:
    """The expressions that return nothing now; each must be one that Prometheus understands."""
    return {(title, one) for title, one in expressions() if not run.query(one)}


def told(service: Running, status: str) -> list[dict[str, Any]]:
    """What the service says that it was told about the alert that wakes it."""
    events = service.events("alert_received")
    return [one for one in events if (one["alert"], one["status"]) == (WAKING, status)]


@on_one_server
async def test_missing_rows_fire_wake_are_healed_and_the_alert_ends_by_itself(
    app_database_url: str, tmp_path: Path
) -> None:
    port = free_port()
    server = {"port": port, "alert_token": ALERT_TOKEN}
    observing = {"mode": "observe"}
    common: dict[str, Any] = {"server": server, "checks": CHECKS, "repairs": [REPAIR]}
    work = await gallery_at(app_database_url, tmp_path, healing=observing, **common)
    before = work.impressions()
    async with stack(tmp_path, port, ALERT_TOKEN) as run:
        with work.started("serve") as service:
            service.until(lambda: WAKING in run.firing(), PATIENCE)
            service.until(lambda: bool(told(service, "firing")), PATIENCE)
            assert all(one["woken"] for one in told(service, "firing"))
            service.until(lambda: run.told()[WAKING]["state"] == "active", PATIENCE)
            nothing = empty(run)
            assert service.stop().code == 0
        assert work.impressions() == before
        work.configure(**common)
        with work.started("serve") as service:
            client = service.client()
            service.until(lambda: client.metrics().get(LEGACY) == 0, PATIENCE)
            service.until(lambda: WAKING not in run.firing(), PATIENCE)
            service.until(lambda: bool(told(service, "resolved")), PATIENCE)
            every_expression_has_returned_something(run, nothing)
            [healed] = client.get("api/runs").json["runs"]
            assert (healed["state"], healed["legacy_after"]) == ("succeeded", 0)
            assert work.impressions() == before + healed["inserted"]
            assert service.stop().code == 0


def every_expression_has_returned_something(run: Stack, nothing: set[tuple[str, str]]) -> None:
    """Of those that returned `nothing` before; now, or within a moment."""

    def unexplained() -> list[tuple[str, str]]:
        nothing.intersection_update(empty(run))
        return [(title, one) for title, one in sorted(nothing) if title not in MAY_BE_EMPTY]

    with suppress(AssertionError):
        wait_until_sync(lambda: not unexplained())
    assert unexplained() == []


def test_what_may_be_empty_is_something_that_is_asked() -> None:
    assert set(MAY_BE_EMPTY) <= {title for title, _ in expressions()}


def notification(since: datetime) -> dict[str, Any]:
    """As little as the documented payload may hold."""
    labels = {"alertname": WAKING, "job": "conservator"}
    alert = {"status": "firing", "labels": labels, "startsAt": since.isoformat()}
    return {"version": "4", "alerts": [alert | {"fingerprint": "0123456789abcdef"}]}


async def rare(url: str, directory: Path) -> Workplace:
    """A gallery whose census is an hour away once the first has been taken."""
    return await gallery_at(
        url,
        directory,
        server={"alert_token": ALERT_TOKEN},
        checks={"census": {"every": "1h"}},
        healing={"cooldown": "0s", "breaker": {"max_tracked_drop": "100%"}},
    )


@on_one_server
async def test_an_alert_is_healed_now_and_not_while_paused(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await rare(app_database_url, tmp_path)
    with work.started("serve") as service:
        admin = service.client()
        service.until(lambda: admin.metrics().get(LEGACY) == 0)
        caller = Client(admin.address, ALERT_TOKEN)
        work.rows(LOST)
        lost = work.impressions()
        assert caller.post("api/alerts", notification(datetime.now(UTC))).json["woken"]
        service.until(lambda: work.impressions() > lost)
        service.until(lambda: admin.metrics()[LEGACY] == 0)
        assert admin.post("api/healing/pause", {"reason": "we look"}).status == 200
        work.rows(LOST)
        lost, decided = work.impressions(), len(service.events("decision"))
        assert caller.post("api/alerts", notification(datetime.now(UTC))).json["woken"]
        service.until(lambda: len(service.events("decision")) > decided)
        [*_, last] = service.events("decision")
        assert (last["decision"], last["code"]) == ("paused", "paused")
        assert len(service.events("decision")) == decided + 1
        assert work.impressions() == lost
        assert caller.get("api/healing").status == caller.post("api/healing/resume").status == 403


async def test_what_follows_from_a_lost_process_is_held_back_and_nothing_else(
    tmp_path: Path,
) -> None:
    down = {"alertname": "ConservatorDown", "job": "conservator", "instance": "a:9855"}
    of_a, of_b = ({"job": "conservator", "instance": f"{name}:9855"} for name in "ab")
    of_job = {"job": "conservator"}
    async with alertmanager(tmp_path, free_port(), ALERT_TOKEN) as manager:
        hands_over(manager, [down], set())
        others = [
            {"alertname": "ConservatorDatabaseDown", **of_a, "n": "1"},
            {"alertname": "ConservatorDatabaseDown", **of_b, "n": "2"},
            {"alertname": "ConservatorDataStale", **of_job, "n": "3"},
            {"alertname": "ConservatorNoLeader", **of_job, "n": "4"},
            {"alertname": "ConservatorBreakerOpen", **of_job, "n": "5"},
            {"alertname": WAKING, **of_job, "n": "6"},
        ]
        hands_over(manager, [down, *others], {"1", "3", "4"})
        missing = {"alertname": "ConservatorDataMissing", "state": "legacy_untracked", "n": "7"}
        hands_over(manager, [down, missing, *others], {"1", "3", "4", "5", "6", "7"})


def hands_over(manager: Client, labels: list[dict[str, str]], held_back: set[str]) -> None:
    """Alertmanager is told these alerts, and holds back those with the numbers `held_back`."""
    answer = manager.post("api/v2/alerts", [{"labels": one} for one in labels])
    assert answer.status == 200, answer.text

    def is_so() -> bool:
        known = manager.get("api/v2/alerts").json
        held = {one["labels"]["n"] for one in known if one["status"]["inhibitedBy"]}
        return len(known) == len(labels) and held == held_back

    wait_until_sync(is_so)
    assert is_so()
