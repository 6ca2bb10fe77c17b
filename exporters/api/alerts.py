"""/api/alerts: Alertmanager's webhook. An alert only wakes the loop, which counts for itself.

Whatever a notification says, no number of it is believed, and nothing of it is kept: pause, breaker
and cooldown are obeyed by whoever decides.
"""

from __future__ import annotations

import structlog
from aiohttp import web

from exporters.api.body import read_object
from exporters.api.context import context_of
from exporters.api.errors import json_response
from exporters.api.models import AlertBody, AlertsBody, parse_body
from exporters.api.shapes.alerts import Received

log = structlog.get_logger(__name__)

FIRING = "firing"
WAKING = "ConservatorLegacyUntracked"
"""The alert that healing answers."""


async def take_alerts(request: web.Request) -> web.Response:
    """Take a notification, which may wake the loop once."""
    body = parse_body(AlertsBody, await read_object(request))
    woken = any(map(_wakes, body.alerts)) and await context_of(request).commands.wake_loop()
    for alert in body.alerts:
        log.info(
            "alert_received",
            alert=alert.name,
            status=alert.status,
            fingerprint=alert.fingerprint,
            starts_at=alert.starts_at.isoformat(),
            woken=woken and _wakes(alert),
        )
    firing = sum(alert.status == FIRING for alert in body.alerts)
    return json_response(Received(woken=woken, firing=firing, resolved=len(body.alerts) - firing))


def _wakes(alert: AlertBody) -> bool:
    return alert.status == FIRING and alert.name == WAKING
