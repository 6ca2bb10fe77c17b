"""/api/checks, health, metrics; unknown paths, methods, headers."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from checks.doctor.findings import TABLE_MISSING
from checks.judgement import Outcome
from monitor.state.checks import CheckHistory, ResultRow, TransitionRow
from monitor.status import CheckFacts
from tests.support.builders import NOON, a_check, a_suspicion, an_examination, checks, unrun
from tests.unit.exporters.serving import ADMIN, Served


async def get(served: Served, path: str) -> tuple[int, dict[str, Any]]:
    async with served.client.get(path, headers=ADMIN) as response:
        return response.status, await response.json()


async def test_a_follower_says_who_leads(served: Served) -> None:
    served.board.update(leader=False, leader_name="host-b:2:y")
    _, answer = await get(served, "/api/checks")
    assert (answer["leader"], answer["led_by"]) == (False, "host-b:2:y")
    served.board.update(leader=False, leader_name="")
    _, answer = await get(served, "/api/checks")
    assert (answer["leader"], answer["led_by"]) == (False, None)
    served.board.update(leader=True, replica="host-a:1:x")
    _, answer = await get(served, "/api/checks")
    assert (answer["leader"], answer["led_by"]) == (True, "host-a:1:x")


async def test_checks_come_with_evidence_and_say_whether_they_are_stale(served: Served) -> None:
    evidence = ({"user_id": "U", "viewed_at": "2026-01-31"},)
    failing = a_check(
        "orphans",
        outcome=Outcome.FAIL,
        value=float("nan"),
        numbers={"users": 2, "age": float("inf")},
        evidence=evidence,
        facts=CheckFacts(fail="> 0", owner="gallery team"),
    )
    served.board.update(checks=checks(failing, unrun("later")))
    status, answer = await get(served, "/api/checks")
    assert status == 200
    assert answer["leader"] is True
    assert answer["checks"] == [
        {
            "name": "orphans",
            "outcome": "fail",
            "value": None,
            "message": "6 legacy-untracked pairs.",
            "stale": False,
            "since": "2026-01-31T11:46:40.000Z",
            "last_run": "2026-01-31T12:00:00.000Z",
            "last_success": "2026-01-31T12:00:00.000Z",
            "duration_seconds": 0.3,
            "interval_seconds": 60.0,
            "configured_interval_seconds": 60.0,
            "numbers": {"users": 2},
            "evidence": [{"user_id": "U", "viewed_at": "2026-01-31"}],
            "warn": None,
            "fail": "> 0",
            "owner": "gallery team",
            "runbook": None,
            "suite": None,
            "repairs": [],
        },
        {
            "name": "later",
            "outcome": None,
            "value": None,
            "message": "",
            "stale": True,
            "since": None,
            "last_run": None,
            "last_success": None,
            "duration_seconds": None,
            "interval_seconds": 60.0,
            "configured_interval_seconds": 60.0,
            "numbers": {},
            "evidence": [],
            "warn": None,
            "fail": None,
            "owner": None,
            "runbook": None,
            "suite": None,
            "repairs": [],
        },
    ]


async def test_a_check_comes_with_its_history(served: Served) -> None:
    served.board.update(checks=checks(a_check("orphans")))
    served.commands.found_history = CheckHistory(
        (ResultRow(NOON, "pass", float("inf"), 0.25),),
        (TransitionRow(NOON, None, "pass", 0.0, "None."),),
    )
    status, answer = await get(served, "/api/checks/orphans?limit=7")
    assert status == 200
    assert served.commands.asked == [("check_history", "orphans", 7)]
    assert answer["check"]["name"] == "orphans"
    moment = "2026-01-31T12:00:00.000Z"
    assert answer["results"] == [
        {"taken_at": moment, "outcome": "pass", "value": None, "seconds": 0.25}
    ]
    assert answer["transitions"] == [
        {"changed_at": moment, "before": None, "after": "pass", "value": 0.0, "message": "None."}
    ]


async def test_the_history_of_an_unknown_check_is_not_found(served: Served) -> None:
    status, answer = await get(served, "/api/checks/nothing")
    assert (status, answer["error"]["code"]) == (404, "unknown_check")
    assert served.commands.asked == []


MISSING = a_suspicion(
    accepted_as=None,
    code=TABLE_MISSING,
    subject="people",
    problem="Role app finds no table or view named people in database gallery.",
)


async def test_ready_says_nothing_is_missing(served: Served) -> None:
    assert await get(served, "/readyz") == (200, {"ready": True, "reasons": []})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"database_up": False, "database_error": "No route."}, "No route."),
        ({"database_up": False}, "The database has not answered yet."),
        ({"state_schema_current": False}, "conservator init"),
        ({"examination": an_examination(MISSING)}, "finds no table or view named people"),
    ],
)
async def test_what_is_missing_is_said_when_not_ready(
    served: Served, changes: dict[str, object], reason: str
) -> None:
    served.board.update(**changes)
    status, answer = await get(served, "/readyz")
    assert (status, answer["ready"]) == (503, False)
    assert reason in str(answer["reasons"])
    assert answer["error"]["code"] == "not_ready"
    assert await get(served, "/healthz") == (200, {"status": "ok"})


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, "text/plain; version=0.0.4"),
        ("*/*", "text/plain; version=0.0.4"),
        ("text/plain;version=1.0.0", "text/plain; version=1.0.0"),
        (
            "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5",
            "application/openmetrics-text; version=1.0.0",
        ),
        ("application/openmetrics-text", "application/openmetrics-text; version=1.0.0"),
        ("application/openmetrics-text;version=x", "text/plain; version=0.0.4"),
        ("text/plain;version=..", "text/plain; version=0.0.4"),
        ("application/openmetrics-text;q=0", "text/plain; version=0.0.4"),
        ("application/openmetrics-text; q=0.000, */*", "text/plain; version=0.0.4"),
        (
            "text/plain;version=1.0.0;q=0.4, application/openmetrics-text;version=1.0.0;q=0.9",
            "application/openmetrics-text; version=1.0.0",
        ),
    ],
)
async def test_metrics_come_in_the_format_that_is_asked_for(
    served: Served, accept: str | None, content_type: str
) -> None:
    headers = ADMIN | ({} if accept is None else {"Accept": accept})
    async with served.client.get("/metrics", headers=headers) as response:
        text = await response.text()
    assert response.headers["Content-Type"].startswith(content_type)
    assert text.endswith("# EOF\n") == content_type.startswith("application/openmetrics")
    found = {family.name for family in text_string_to_metric_families(text)}
    assert {"conservator_artworks", "process_cpu_seconds", "python_info"} <= found


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "identity", "br;q=1, gzip;q=0.5"])
async def test_metrics_are_compressed_where_the_scraper_can_read_it(
    served: Served, encoding: str
) -> None:
    headers = ADMIN | {"Accept-Encoding": encoding}
    async with served.client.get("/metrics", headers=headers) as response:
        assert "conservator_leader" in await response.text()
    assert ("Content-Encoding" in response.headers) == ("gzip" in encoding)


async def test_a_scrape_touches_no_command(served: Served) -> None:
    async with served.client.get("/metrics?name[]=x", headers=ADMIN) as response:
        assert response.status == 200
    assert served.commands.asked == []


@pytest.mark.parametrize("path", ["/nothing", "/api", "/api/runs/", "/metrics/", "/%2e%2e/x"])
async def test_unknown_paths_are_not_found_in_json(served: Served, path: str) -> None:
    async with served.client.get(path) as response:
        assert response.status == 404
        assert (await response.json())["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/metrics", "GET, HEAD"),
        ("DELETE", "/api/runs/1", "GET, HEAD"),
        ("OPTIONS", "/", "GET, HEAD"),
        ("GET", "/api/healing/pause", "POST"),
        ("PUT", "/api/artworks/backfill-impressions", "POST"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(
    served: Served, method: str, path: str, allowed: str
) -> None:
    async with served.client.request(method, path, headers=ADMIN) as response:
        assert (response.status, response.headers["Allow"]) == (405, allowed)
        assert (await response.json())["error"]["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/readyz", "/metrics", "/api/checks", "/api/runs", "/nothing"]
)
async def test_every_answer_is_hardened_and_kept_by_nobody(served: Served, path: str) -> None:
    async with served.client.get(path, headers=ADMIN) as response:
        headers = response.headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert headers["Server"] == "conservator"


@pytest.mark.parametrize("path", ["/", "/metrics", "/api/checks"])
async def test_head_answers_without_a_body(served: Served, path: str) -> None:
    async with served.client.head(path, headers=ADMIN) as response:
        assert (response.status, await response.read()) == (200, b"")


@pytest.mark.parametrize(
    ("takes", "packed"),
    [
        *(("gzip", True), ("GZIP;q=0.1", True), ("deflate, gzip", True), ("gzip;q=1.0", True)),
        *(("gzip;q=0", False), ("gzip; q=0.0, identity", False), ("deflate", False), ("", False)),
    ],
)
async def test_only_who_takes_gzip_gets_it(served: Served, takes: str, packed: bool) -> None:
    for path in ("/metrics", "/static/page.css"):
        headers = ADMIN | {"Accept-Encoding": takes}
        async with served.client.get(path, headers=headers) as response:
            assert response.status == 200
            assert (response.headers.get("Content-Encoding") == "gzip") == packed, path
