"""POST /api/alerts: Alertmanager's webhook. An alert only wakes the loop, which counts for itself.

Whatever a notification says, no number of it is believed: pause, breaker and cooldown are obeyed by
whoever decides. What has been told before, by repeat_interval or a second Alertmanager, does
nothing again.
"""

from __future__ import annotations

from datetime import datetime

import structlog
from aiohttp import web

from exporters.http.requests import AlertsBody, AnyParameters
from exporters.http.responses import Received
from exporters.http.routing import Call
from monitor.state.alerts import FIRING, Notification

log = structlog.get_logger(__name__)

MAX_REMEMBERED = 1_000
"""Of what was told, so much. An alert that comes and goes tells two things each time."""


class SeenAlerts:
    """What was told of alerts; what was not repeated for longest is forgotten first."""

    def __init__(self, max_remembered: int = MAX_REMEMBERED) -> None:
        self._max_remembered = max_remembered
        self._seen: dict[tuple[str, datetime, str], None] = {}

    def is_new(self, alert: Notification) -> bool:
        """Whether this was not told before; it is remembered."""
        told = (alert.fingerprint, alert.starts_at, alert.status)
        known = told in self._seen
        self._seen.pop(told, None)
        self._seen[told] = None
        if len(self._seen) > self._max_remembered:
            del self._seen[next(iter(self._seen))]
        return not known


SEEN_ALERTS = web.AppKey("seen_alerts", SeenAlerts)


async def notify(call: Call[AnyParameters, AlertsBody]) -> Received:
    """Alertmanager's webhook.

    Takes a notification, version 4. A firing `ConservatorLegacyUntracked` makes the leader count
    and decide now; whatever else it says is not believed. What was told before does nothing again.
    """
    seen = call.request.app[SEEN_ALERTS]
    told = tuple(
        Notification(alert.fingerprint, alert.starts_at, alert.status, alert.name)
        for alert in call.body.alerts
    )
    new = tuple(alert for alert in told if seen.is_new(alert))
    woken = (await call.context.commands.alerted(new)).woken
    for alert in new:
        log.info(
            "alert_received",
            alert=alert.name,
            status=alert.status,
            fingerprint=alert.fingerprint,
            starts_at=alert.starts_at.isoformat(),
            woken=woken and alert.wakes,
        )
    firing = sum(alert.status == FIRING for alert in new)
    return Received(
        woken=woken,
        firing=firing,
        resolved=len(new) - firing,
        ignored=len(told) - len(new),
    )
