"""/api/alerts: what a notification does, and what it does not."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from aiohttp import ClientResponse
from structlog.testing import capture_logs

from checks.errors import DatabaseUnavailableError
from exporters.http.auth import Tokens
from exporters.http.errors import MAX_NOTIFICATION_BYTES
from exporters.http.healing import WAKING
from tests.unit.exporters.serving import ADMIN, Served, bearer, serving

ALERTS = "/api/alerts"
ALERTMANAGER = bearer("the-alert")
SINCE = "2026-11-22T14:09:31.659123456Z"


def alert(name: str = WAKING, status: str = "firing", **over: Any) -> dict[str, Any]:
    """One alert, as Alertmanager 0.25 sends it."""
    return {
        "status": status,
        "labels": {"alertname": name, "job": "conservator", "severity": "warning"},
        "annotations": {"summary": "12 old artworks come round again."},
        "startsAt": SINCE,
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus:9090/graph?g0.expr=up&g0.tab=1",
        "fingerprint": f"1a30ba71-{name}",
    } | over


def notification(*alerts: dict[str, Any], **over: Any) -> dict[str, Any]:
    """A whole notification, version 4."""
    return {
        "version": "4",
        "groupKey": '{}/{alertname="ConservatorLegacyUntracked"}:{job="conservator"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "conservator",
        "groupLabels": {"job": "conservator"},
        "commonLabels": {"job": "conservator"},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager:9093",
        "alerts": list(alerts),
    } | over


async def tell(served: Served, *alerts: dict[str, Any]) -> dict[str, Any]:
    async with served.client.post(
        ALERTS, json=notification(*alerts), headers=ALERTMANAGER
    ) as response:
        assert response.status == 200
        answer: dict[str, Any] = await response.json()
        return answer


def received(logs: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Without the access log's lines."""
    return [log for log in logs if log["event"] == "alert_received"]


def done(*, woken: bool, firing: int = 0, resolved: int = 0) -> dict[str, Any]:
    return {"woken": woken, "firing": firing, "resolved": resolved}


async def test_legacy_that_fires_wakes_the_loop_and_asks_for_nothing_else(served: Served) -> None:
    assert await tell(served, alert()) == done(woken=True, firing=1)
    assert served.commands.asked == [("wake_loop",)]


@pytest.mark.parametrize(
    ("name", "status"),
    [
        (WAKING, "resolved"),
        ("ConservatorBreakerOpen", "firing"),
        ("ConservatorDown", "resolved"),
        ("SomebodyElses", "firing"),
        (WAKING.lower(), "firing"),
    ],
)
async def test_whatever_else_is_told_is_taken_and_logged_and_wakes_nobody(
    served: Served, name: str, status: str
) -> None:
    with capture_logs() as logs:
        answer = await tell(served, alert(name, status))
    assert answer == done(woken=False) | {status: 1}
    assert served.commands.asked == []
    assert received(logs) == [
        {
            "event": "alert_received",
            "log_level": "info",
            "alert": name,
            "status": status,
            "fingerprint": f"1a30ba71-{name}",
            "starts_at": "2026-11-22T14:09:31.659123+00:00",
            "woken": False,
        }
    ]


async def test_several_alerts_at_once_wake_once(served: Served) -> None:
    several = [alert(fingerprint=str(number)) for number in range(3)]
    with capture_logs() as logs:
        answer = await tell(served, *several, alert(status="resolved"), alert("Other"))
    assert answer == done(woken=True, firing=4, resolved=1)
    assert served.commands.asked == [("wake_loop",)]
    assert [log["woken"] for log in received(logs)] == [True, True, True, False, False]


async def test_what_still_fires_wakes_again_and_its_end_does_not(served: Served) -> None:
    """By repeat_interval, or told by a second Alertmanager: one more census, no more."""
    for _ in range(2):
        assert await tell(served, alert()) == done(woken=True, firing=1)
    assert await tell(served, alert(status="resolved")) == done(woken=False, resolved=1)
    assert served.commands.asked == [("wake_loop",)] * 2


async def test_a_follower_without_its_database_has_alertmanager_try_again(served: Served) -> None:
    served.commands.error = DatabaseUnavailableError("connection refused")
    async with served.client.post(
        ALERTS, json=notification(alert()), headers=ALERTMANAGER
    ) as response:
        assert response.status == 503
        assert (await response.json())["error"]["code"] == "database_unavailable"
    assert await tell(served, alert("Other")) == done(woken=False, firing=1)


async def test_where_nobody_counts_the_alert_is_taken_and_woke_nobody(served: Served) -> None:
    served.commands.wakes = False
    with capture_logs() as logs:
        assert await tell(served, alert()) == done(woken=False, firing=1)
    assert [log["woken"] for log in received(logs)] == [False]


def told(served: Served, raw: bytes) -> AbstractAsyncContextManager[ClientResponse]:
    headers = ALERTMANAGER | {"Content-Type": "application/json"}
    return served.client.post(ALERTS, data=io.BytesIO(raw), headers=headers)


def of_size(size: int) -> bytes:
    """A notification of so many bytes."""
    raw = json.dumps(notification(alert(), externalURL="")).encode()
    return raw.replace(b'"externalURL": ""', b'"externalURL": "%s"' % (b"x" * (size - len(raw))))


@pytest.mark.parametrize(("more", "status"), [(-1, 200), (0, 200), (1, 413)])
async def test_a_notification_of_a_mebibyte_is_taken_and_not_a_byte_more(
    served: Served, more: int, status: int
) -> None:
    body = of_size(MAX_NOTIFICATION_BYTES + more)
    assert len(body) == 2**20 + more
    async with told(served, body) as response:
        assert response.status == status
    assert served.commands.asked == ([("wake_loop",)] if status == 200 else [])


@pytest.mark.parametrize("number", [120, 2_000, 10_000])
async def test_a_notification_of_many_alerts_is_taken_whole(served: Served, number: int) -> None:
    short = {"status": "firing", "labels": {}, "startsAt": SINCE, "fingerprint": ""}
    alerts = [alert()] * min(number, 2_000) + [short] * max(0, number - 2_000)
    raw = json.dumps(notification(*alerts), separators=(",", ":")).encode()
    async with told(served, raw) as response:
        if number == 10_000:
            assert response.status == 413  # Alertmanager's max_alerts keeps it below
        else:
            assert await response.json() == done(woken=True, firing=number)


async def test_a_notification_without_alerts_is_taken(served: Served) -> None:
    assert await tell(served) == done(woken=False)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "version: expected, but missing; alerts: expected, but missing."),
        (notification(version="3"), """version: expected '4', found "3"."""),
        (notification(version=4), "version: expected '4', found 4."),
        (notification() | {"alerts": {"x": 1}}, "alerts: expected"),
        (notification() | {"alerts": None}, "alerts: expected"),
        (notification() | {"alerts": [1]}, "alerts.0: expected an object, found 1."),
        (notification(alert(status="pending")), "alerts.0.status: expected 'firing' or 'resolved'"),
        (notification(alert(labels=[])), "alerts.0.labels: expected an object, found an array."),
        (notification(alert(labels={"alertname": 1})), "labels.alertname: expected text, found 1."),
        (notification(alert(labels={"a": "\ud800"})), "without NUL or lone surrogates"),
        (notification(alert(fingerprint=None)), "fingerprint: expected text, found null."),
        (
            notification(alert(startsAt="yesterday")),
            "startsAt: expected a time such as 2026-01-31T",
        ),
        (notification(alert(startsAt="2026-11-22T15:00:00")), "expected a time such as"),
        (notification(alert(startsAt="0001-01-01T00:00:00+05:00")), "between the years 2 and"),
        (notification(alert(startsAt=1_700_000_000)), "expected a time such as"),
        (notification(alert(), {"status": "firing"}), "alerts.1.labels: expected, but missing"),
    ],
)
async def test_what_is_no_notification_is_refused_and_does_nothing(
    served: Served, body: dict[str, Any], words: str
) -> None:
    sent = ALERTMANAGER | {"Content-Type": "application/json"}
    raw = json.dumps(body).encode()
    async with served.client.post(ALERTS, data=raw, headers=sent) as response:
        error = (await response.json())["error"]
        assert (response.status, error["code"]) == (400, "bad_request")
    assert words in error["message"]
    assert served.commands.asked == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (ALERTMANAGER, 200),
        (ADMIN, 200),
        ({}, 401),
        (bearer("the-wrong"), 401),
        (bearer("the-app"), 403),
        (bearer("the-reader"), 403),
    ],
)
async def test_only_alertmanager_and_the_admin_hand_in_alerts(
    served: Served, headers: dict[str, str], status: int
) -> None:
    async with served.client.post(ALERTS, json=notification(), headers=headers) as response:
        assert response.status == status


@pytest.mark.parametrize(
    ("tokens", "headers", "status"),
    [
        (Tokens(), {}, 403),
        (Tokens(alert=""), bearer(""), 403),
        (Tokens(app="the-app"), bearer("the-app"), 403),
        (Tokens(admin="the-admin"), {}, 401),
        (Tokens(admin="the-admin"), ADMIN, 200),
        (Tokens(alert="the-alert"), ALERTMANAGER, 200),
        (Tokens(alert="the-alert"), {}, 401),
    ],
)
async def test_without_a_token_that_is_configured_for_it_nobody_does(
    tokens: Tokens, headers: dict[str, str], status: int
) -> None:
    async with (
        serving(tokens) as served,
        served.client.post(ALERTS, json=notification(alert()), headers=headers) as response,
    ):
        assert response.status == status
        assert bool(served.commands.asked) == (status == 200)
        if status == 403 and not headers:
            assert "Set server.alert_token" in (await response.json())["error"]["message"]
