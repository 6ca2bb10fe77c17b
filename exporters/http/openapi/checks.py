"""The calls about checks."""

from __future__ import annotations

from aiohttp import hdrs

from checks.judgement import Outcome
from exporters.http.checks import RESULTS
from exporters.http.openapi.parts import Call, Calls, Parameter, Reply, Tag, Where
from exporters.http.openapi.replies import BAD_QUERY, DATABASE_REPLIES, INTERNAL, problem
from exporters.http.queries import MAX_LIMIT
from exporters.http.shapes.checks import CheckPast, CheckResult, Checks, Measured, Transition

_MOMENT = "2026-01-31T12:00:00.000Z"
_CHECK = CheckResult(
    name="duplicate_impressions",
    outcome=Outcome.FAIL,
    value=2.0,
    message="2 impressions beyond the first of their pair.",
    stale=False,
    since=_MOMENT,
    last_run=_MOMENT,
    last_success=_MOMENT,
    duration_seconds=0.2,
    interval_seconds=3600.0,
    configured_interval_seconds=3600.0,
    numbers={"pairs": 1.0, "impressions": 3.0, "surplus": 2.0},
    evidence=[{"user": "42", "artwork": "7", "impressions": "3"}],
    warn=None,
    fail="> 0",
    owner="gallery",
    runbook=None,
    suite=None,
)

CALLS: Calls = {
    (hdrs.METH_GET, "/api/checks"): Call(
        "listChecks",
        Tag.CHECKS,
        "The last result of every check",
        "From memory. A result that is `stale` must not be taken for the present.",
        (
            Reply(
                200,
                "Every check, with evidence.",
                Checks,
                {"one": Checks(leader=True, led_by="gallery-1", checks=[_CHECK])},
            ),
            BAD_QUERY,
            INTERNAL,
        ),
    ),
    (hdrs.METH_GET, "/api/checks/{name}"): Call(
        "getCheck",
        Tag.CHECKS,
        "One check with its history",
        "Its last result, its newest results, and the newest changes of its outcome.",
        (
            Reply(
                200,
                "The check.",
                CheckPast,
                {
                    "failing": CheckPast(
                        check=_CHECK,
                        transitions=[
                            Transition(
                                changed_at=_MOMENT,
                                before="pass",
                                after="fail",
                                value=2.0,
                                message=_CHECK["message"],
                            )
                        ],
                        results=[
                            Measured(taken_at=_MOMENT, outcome="fail", value=2.0, seconds=0.2)
                        ],
                    )
                },
            ),
            BAD_QUERY,
            problem(
                404,
                "There is no such check.",
                {"unknown_check": "There is no check cenus; see /api/checks."},
            ),
            *DATABASE_REPLIES,
        ),
        (
            Parameter("name", Where.PATH, "The check's name.", {"type": "string"}, "census"),
            Parameter(
                "limit",
                Where.QUERY,
                "So many results, and so many changes, at most.",
                {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": RESULTS},
            ),
        ),
    ),
}
