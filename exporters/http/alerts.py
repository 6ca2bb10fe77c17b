"""/api/alerts: Alertmanager's webhook. An alert only wakes the loop, which counts for itself.

Whatever a notification says, no number of it is believed: pause, breaker and cooldown are obeyed by
whoever decides. What has been told before, by repeat_interval or a second Alertmanager, does
nothing again.
"""

from __future__ import annotations

from datetime import datetime

import structlog
from aiohttp import web

from exporters.http.body import read_object
from exporters.http.context import context_of
from exporters.http.errors import json_response
from exporters.http.models import AlertBody, AlertsBody, parse_body
from exporters.http.queries import limit
from exporters.http.shapes.alerts import Alert, AlertList, Received
from exporters.moments import moment
from monitor.state.alerts import FIRING, AlertRow, Notification

log = structlog.get_logger(__name__)

SHOWN = 50
"""So many are listed, unless `limit` says otherwise."""
MOST_REMEMBERED = 1_000
"""Of what was told, so much. An alert that comes and goes tells two things each time."""


class Notified:
    """What was told of alerts; what was not repeated for longest is forgotten first."""

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        self._most = most
        self._said: dict[tuple[str, datetime, str], None] = {}

    def is_new(self, alert: Notification) -> bool:
        """Whether this was not said before; it is remembered."""
        said = (alert.fingerprint, alert.starts_at, alert.status)
        known = said in self._said
        self._said.pop(said, None)
        self._said[said] = None
        if len(self._said) > self._most:
            del self._said[next(iter(self._said))]
        return not known


NOTIFIED = web.AppKey("notified", Notified)


async def take_alerts(request: web.Request) -> web.Response:
    """Take a notification: what is new in it is recorded, and may wake the loop once."""
    body = parse_body(AlertsBody, await read_object(request))
    notified = request.app[NOTIFIED]
    told = tuple(_notification(alert) for alert in body.alerts)
    unheard = tuple(alert for alert in told if notified.is_new(alert))
    taken = await context_of(request).commands.alerted(unheard)
    for alert in taken.new:
        log.info(
            "alert_received",
            alert=alert.name,
            status=alert.status,
            fingerprint=alert.fingerprint,
            starts_at=alert.starts_at.isoformat(),
            woken=taken.woken and alert.wakes,
        )
    firing = sum(alert.status == FIRING for alert in taken.new)
    return json_response(
        Received(
            woken=taken.woken,
            recorded=taken.recorded,
            firing=firing,
            resolved=len(taken.new) - firing,
            ignored=len(told) - len(taken.new),
        )
    )


async def alerts(request: web.Request) -> web.Response:
    """What Alertmanager told last, newest first."""
    asked = limit(request, default=SHOWN)
    rows = await context_of(request).commands.alerts(limit=asked)
    return json_response(AlertList(alerts=[_row(row) for row in rows]))


def _notification(alert: AlertBody) -> Notification:
    return Notification(alert.fingerprint, alert.starts_at, alert.status, alert.name)


def _row(row: AlertRow) -> Alert:
    return Alert(
        name=row.name,
        status="firing" if row.status == FIRING else "resolved",
        starts_at=moment(row.starts_at),
        received_at=moment(row.received_at),
        taken_by=row.taken_by,
        fingerprint=row.fingerprint,
    )
