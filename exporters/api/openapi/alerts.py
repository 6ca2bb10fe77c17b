"""The call about alerts: Alertmanager's webhook."""

from __future__ import annotations

from aiohttp import hdrs

from exporters.api.models import AlertsBody
from exporters.api.openapi.parts import Body, Call, Calls, Reply, Tag
from exporters.api.openapi.replies import BODY_REPLIES, DATABASE_REPLIES
from exporters.api.shapes.alerts import Received

CALLS: Calls = {
    (hdrs.METH_POST, "/api/alerts"): Call(
        "notify",
        Tag.ALERTS,
        "Alertmanager's webhook",
        "Takes a notification, version 4. A firing `ConservatorLegacyUntracked` makes the leader"
        " count and decide now; whatever else it says is logged and not believed.",
        (
            Reply(
                200,
                "Taken.",
                Received,
                {"woken": Received(woken=True, firing=1, resolved=0)},
            ),
            *BODY_REPLIES,
            *DATABASE_REPLIES,
        ),
        body=Body(
            AlertsBody,
            "What Alertmanager sends.",
            {
                "firing": {
                    "version": "4",
                    "status": "firing",
                    "alerts": [
                        {
                            "status": "firing",
                            "labels": {"alertname": "ConservatorLegacyUntracked"},
                            "startsAt": "2026-01-31T12:00:00Z",
                            "fingerprint": "c4f7a1b2d3e4f506",
                        }
                    ],
                }
            },
            required=True,
        ),
    ),
}
