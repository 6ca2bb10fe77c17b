"""The calls about the service itself: alive, ready, metrics, pages, this description."""

from __future__ import annotations

from aiohttp import hdrs

from exporters.http.openapi.parts import JSON, Call, Calls, Parameter, Reply, Tag, Where
from exporters.http.openapi.replies import (
    BAD_QUERY,
    ETAG,
    IF_NONE_MATCH,
    INTERNAL,
    UNCHANGED,
    UNREADABLE,
    problem,
)
from exporters.http.shapes.base import Fault
from exporters.http.shapes.service import Alive, NotReady, Ready

_HTML = ("text/html",)
_AWAY = "The database can't be reached: connection refused."

CALLS: Calls = {
    (hdrs.METH_GET, "/runbooks/{name}"): Call(
        "getRunbook",
        Tag.PAGES,
        "The runbook of an alert",
        "What it means, what users see, what to look at and what to type.",
        (
            Reply(200, "The runbook, as a page.", media=_HTML, headers=(ETAG,)),
            UNCHANGED,
            BAD_QUERY,
            problem(
                404,
                "There is no such alert.",
                {"unknown_runbook": "There is no runbook of an alert ConservatorDwn."},
            ),
            INTERNAL,
        ),
        (
            Parameter("name", Where.PATH, "The alert.", {"type": "string"}, "ConservatorDown"),
            IF_NONE_MATCH,
        ),
    ),
    (hdrs.METH_GET, "/healthz"): Call(
        "isAlive",
        Tag.SERVICE,
        "Alive?",
        "The process serves requests. Never needs a token.",
        (Reply(200, "Yes.", Alive, {"alive": Alive(status="ok")}), UNREADABLE, INTERNAL),
    ),
    (hdrs.METH_GET, "/readyz"): Call(
        "isReady",
        Tag.SERVICE,
        "Ready for work?",
        "The database is reachable, and the state schema the one that this version needs.",
        (
            Reply(200, "Yes.", Ready, {"ready": Ready(ready=True, reasons=[])}),
            UNREADABLE,
            INTERNAL,
            Reply(
                503,
                "No, for these reasons.",
                NotReady,
                {
                    "away": NotReady(
                        ready=False,
                        reasons=[_AWAY],
                        error=Fault(code="not_ready", message=_AWAY),
                    )
                },
                codes=("not_ready",),
            ),
        ),
    ),
    (hdrs.METH_GET, "/metrics"): Call(
        "getMetrics",
        Tag.SERVICE,
        "Metrics for Prometheus",
        "Prometheus text or OpenMetrics, as `Accept` prefers, compressed for who takes gzip. From"
        " memory: a scrape never touches the database.",
        (
            Reply(200, "The metrics.", media=("text/plain", "application/openmetrics-text")),
            UNREADABLE,
            INTERNAL,
        ),
    ),
    (hdrs.METH_GET, "/api/openapi.json"): Call(
        "getDescription",
        Tag.SERVICE,
        "This description",
        "OpenAPI 3.1.",
        (
            Reply(200, "The description.", dict[str, object], media=(JSON,), headers=(ETAG,)),
            UNCHANGED,
            BAD_QUERY,
            INTERNAL,
        ),
        (IF_NONE_MATCH,),
    ),
}
