"""POST /api/alerts: Alertmanager's webhook. An alert only wakes the loop, which counts for itself.

Whatever a notification says, no number of it is believed, and nothing of it is kept: pause, breaker
and cooldown are obeyed by whoever decides.
"""

from __future__ import annotations

import structlog

from exporters.http.requests import AlertBody, AlertsBody, AnyParameters
from exporters.http.responses import Received
from exporters.http.routing import Call

log = structlog.get_logger(__name__)

FIRING = "firing"
WAKING = "ConservatorLegacyUntracked"
"""The alert that healing answers."""


async def notify(call: Call[AnyParameters, AlertsBody]) -> Received:
    """Alertmanager's webhook.

    Takes a notification, version 4. A firing `ConservatorLegacyUntracked` makes the leader count
    and decide now; whatever else it says is logged and not believed.
    """
    alerts = call.body.alerts
    woken = any(map(_wakes, alerts)) and await call.context.commands.wake_loop()
    for alert in alerts:
        log.info(
            "alert_received",
            alert=alert.name,
            status=alert.status,
            fingerprint=alert.fingerprint,
            starts_at=alert.starts_at.isoformat(),
            woken=woken and _wakes(alert),
        )
    firing = sum(alert.status == FIRING for alert in alerts)
    return Received(woken=woken, firing=firing, resolved=len(alerts) - firing)


def _wakes(alert: AlertBody) -> bool:
    return alert.status == FIRING and alert.name == WAKING
