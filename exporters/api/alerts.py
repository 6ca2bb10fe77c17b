"""POST /api/alerts: Alertmanager's webhook. An alert only wakes the loop, which counts for itself.

Whatever a notification says, no number of it is believed: pause, breaker and cooldown are obeyed by
whoever decides. What has been told before, by repeat_interval or a second Alertmanager, does
nothing again.
"""

from __future__ import annotations

from datetime import datetime

import structlog
from aiohttp import web

from exporters.api.body import read_object
from exporters.api.context import context_of
from exporters.api.errors import json_response
from exporters.api.models import AlertBody, AlertsBody, parse_body

log = structlog.get_logger(__name__)

WAKING = "ConservatorLegacyUntracked"
FIRING = "firing"
MOST_REMEMBERED = 1_000
"""Of what was told, so much. An alert that comes and goes tells two things each time."""

_Said = tuple[str, datetime, str]
"""Which alert, since when, and how it stands."""


class Notified:
    """What was told of alerts; what was not repeated for longest is forgotten first."""

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        self._most = most
        self._said: dict[_Said, None] = {}

    def is_new(self, alert: AlertBody) -> bool:
        """Whether this was not said before; it is remembered."""
        said = (alert.fingerprint, alert.starts_at, alert.status)
        known = said in self._said
        self._said.pop(said, None)
        self._said[said] = None
        if len(self._said) > self._most:
            del self._said[next(iter(self._said))]
        return not known


NOTIFIED = web.AppKey("notified", Notified)


async def alerts(request: web.Request) -> web.Response:
    """Take a notification: what is new in it is logged, and may wake the loop once."""
    body = parse_body(AlertsBody, await read_object(request))
    notified = request.app[NOTIFIED]
    new = [alert for alert in body.alerts if notified.is_new(alert)]
    firing = [alert for alert in new if alert.status == FIRING]
    woken = False
    if any(alert.name == WAKING for alert in firing):
        woken = await context_of(request).commands.alerted()
    for alert in new:
        log.info(
            "alert_received",
            alert=alert.name,
            status=alert.status,
            fingerprint=alert.fingerprint,
            starts_at=alert.starts_at.isoformat(),
            woken=woken and alert.status == FIRING and alert.name == WAKING,
        )
    return json_response(
        {
            "woken": woken,
            "firing": len(firing),
            "resolved": len(new) - len(firing),
            "ignored": len(body.alerts) - len(new),
        }
    )
