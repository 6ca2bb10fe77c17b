"""The calls about alerts: Alertmanager's webhook, and what it told."""

from __future__ import annotations

from aiohttp import hdrs

from exporters.http.alerts import SHOWN
from exporters.http.models import AlertsBody
from exporters.http.openapi.parts import Body, Call, Calls, Parameter, Reply, Tag, Where
from exporters.http.openapi.replies import BAD_QUERY, BODY_REPLIES, DATABASE_REPLIES, INTERNAL
from exporters.http.queries import MAX_LIMIT
from exporters.http.shapes.alerts import Alert, AlertList, Received

CALLS: Calls = {
    (hdrs.METH_POST, "/api/alerts"): Call(
        "notify",
        Tag.ALERTS,
        "Alertmanager's webhook",
        "Takes a notification, version 4. A firing `ConservatorLegacyUntracked` makes the leader"
        " count and decide now; whatever else it says is recorded and not believed. What was told"
        " before does nothing again.",
        (
            Reply(
                200,
                "Taken.",
                Received,
                {"woken": Received(woken=True, recorded=True, firing=1, resolved=0, ignored=0)},
            ),
            *BODY_REPLIES,
            INTERNAL,
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
    (hdrs.METH_GET, "/api/alerts"): Call(
        "listAlerts",
        Tag.ALERTS,
        "What Alertmanager told last",
        "Each change of an alert once, whichever replica it was told to.",
        (
            Reply(
                200,
                "The newest first.",
                AlertList,
                {
                    "one": AlertList(
                        alerts=[
                            Alert(
                                name="ConservatorLegacyUntracked",
                                status="firing",
                                starts_at="2026-01-31T12:00:00.000Z",
                                received_at="2026-01-31T12:00:31.500Z",
                                taken_by="gallery-1:4711:f527b861",
                                fingerprint="c4f7a1b2d3e4f506",
                            )
                        ]
                    )
                },
            ),
            BAD_QUERY,
            *DATABASE_REPLIES,
        ),
        (
            Parameter(
                "limit",
                Where.QUERY,
                "So many at most.",
                {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": SHOWN},
            ),
        ),
    ),
}
