"""/api/checks, /api/runs, health, metrics; unknown paths, methods, headers."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitor.state.runs import BatchRow, RunKind, RunState
from monitor.status import Outcome
from tests.unit.exporters.builders import NOON, a_check, a_run, checks, unrun
from tests.unit.exporters.serving import ADMIN, Served


async def get(served: Served, path: str) -> tuple[int, dict[str, object]]:
    async with served.client.get(path, headers=ADMIN) as response:
        return response.status, await response.json()


async def test_checks_come_with_evidence_and_say_whether_they_are_stale(served: Served) -> None:
    evidence = ({"user_id": "U", "viewed_at": "2026-01-31"},)
    failing = a_check("orphans", outcome=Outcome.FAIL, value=float("nan"), evidence=evidence)
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
            "evidence": [{"user_id": "U", "viewed_at": "2026-01-31"}],
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
            "evidence": [],
        },
    ]


async def test_runs_are_paged_to_the_end(served: Served) -> None:
    served.commands.found_runs = tuple(a_run(id=number) for number in (5, 4, 3, 2, 1))
    pages, cursor = [], ""
    while True:
        _, answer = await get(served, f"/api/runs?limit=2{cursor}")
        listed = answer["runs"]
        assert isinstance(listed, list)
        pages.append([run["id"] for run in listed])
        if answer["next"] is None:
            break
        cursor = f"&before={answer['next']}"
    assert pages == [[5, 4], [3, 2], [1]]


async def test_a_last_page_that_is_full_has_no_successor(served: Served) -> None:
    served.commands.found_runs = (a_run(id=2), a_run(id=1))
    assert (await get(served, "/api/runs?limit=2"))[1]["next"] is None
    assert (await get(served, "/api/runs"))[1]["next"] is None


async def test_a_run_comes_with_its_batches_page_by_page(served: Served) -> None:
    run = a_run(kind=RunKind.USER, subject=77, state=RunState.SUCCEEDED, finished_at=NOON)
    served.commands.found_runs = (run,)
    served.commands.found_batches = tuple(
        BatchRow(number, NOON, 0.25, users=4, inserted=20) for number in (1, 2, 3)
    )
    _, first = await get(served, "/api/runs/12?limit=2")
    _, second = await get(served, f"/api/runs/12?limit=2&after={first['next']}")
    assert (first["next"], second["next"]) == (2, None)
    assert second["batches"] == [
        {
            "number": 3,
            "started_at": "2026-01-31T12:00:00.000Z",
            "seconds": 0.25,
            "users": 4,
            "inserted": 20,
        }
    ]
    shown = first["run"]
    assert isinstance(shown, dict)
    assert (shown["id"], shown["user_id"], shown["state"]) == (12, "77", "succeeded")
    assert shown["finished_at"] == "2026-01-31T12:00:00.000Z"
    assert not {"token", "lease_until", "artwork_cursor", "position"} & set(shown)


@pytest.mark.parametrize("number", ["99", "0", "-1", "abc", "1.5", "9" * 19, "9" * 99, "%FF", "١"])
async def test_a_run_that_is_not_there_is_not_found(served: Served, number: str) -> None:
    status, answer = await get(served, f"/api/runs/{number}")
    assert status == 404
    assert answer["error"]["code"] == "unknown_run"  # type: ignore[index]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=x",
        "limit=",
        "limit=-1",
        "limit=1&limit=2",
        "before=-1",
        "before=9223372036854775808",
        "after=1",
        "x=1",
    ],
)
async def test_a_page_that_is_none_is_refused(served: Served, query: str) -> None:
    status, answer = await get(served, f"/api/runs?{query}")
    assert (status, answer["error"]["code"]) == (400, "bad_request")  # type: ignore[index]
    assert served.commands.asked == []


async def test_the_largest_page_and_cursor_are_possible(served: Served) -> None:
    await get(served, "/api/runs?limit=200&before=9223372036854775807")
    assert served.commands.asked == [("runs", 201, 9223372036854775807)]


async def test_ready_says_nothing_is_missing(served: Served) -> None:
    assert await get(served, "/readyz") == (200, {"ready": True, "reasons": []})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"database_up": False, "database_error": "No route."}, "No route."),
        ({"database_up": False}, "The database has not answered yet."),
        ({"state_schema_current": False}, "conservator init"),
    ],
)
async def test_what_is_missing_is_said_when_not_ready(
    served: Served, changes: dict[str, object], reason: str
) -> None:
    served.board.update(**changes)
    status, answer = await get(served, "/readyz")
    assert (status, answer["ready"]) == (503, False)
    assert reason in str(answer["reasons"])
    assert answer["error"]["code"] == "not_ready"  # type: ignore[index]
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
