"""Healing yields to a Prometheus query: a real one, and servers that answer badly."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import web

from monitor.healing.throttle.prometheus import MAX_BYTES, PromqlQuery, read_value
from monitor.healing.throttle.throttle import Unknown
from monitor.state.runs import RunState
from tests.support.app import app_on
from tests.support.commands import on_one_server
from tests.support.healing import make_runtime, plan, working
from tests.support.prometheus import Gauge, free_port, http_server, prometheus_scraping
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.prepared, pytest.mark.long]

PATIENCE = 60.0  # seconds
DEADLINE = 10.0  # seconds
ONE = {"status": "success", "data": {"resultType": "scalar", "result": [1.5, "0.25"]}}


@on_one_server
async def test_a_run_waits_while_the_apps_own_latency_is_too_high(
    app_database_url: str, tmp_path: Path
) -> None:
    gauge = Gauge(0.9)
    async with prometheus_scraping(gauge, tmp_path) as url, app_on(app_database_url) as app:
        promql = {"url": url, "query": "max(app_latency_seconds)", "max": 0.5}
        pace = {"max_batch": 10, "promql": promql}
        async with make_runtime(app_database_url, healing={"pace": pace}) as runtime:
            await app.plant(users=5, artworks=10)
            task = working(runtime, await plan(runtime))

            async def is_waiting() -> bool:
                said = await app.value("SELECT waiting_for FROM conservator.run")
                return bool(
                    said == "The query of healing.pace.promql returns 0.9, the limit is 0.5."
                )

            await wait_until(is_waiting)
            assert await app.value("SELECT batches FROM conservator.run") == 0
            gauge.value = 0.1
            ended = await asyncio.wait_for(task, PATIENCE)
        assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 50)
        reasons = dict(await app.rows("SELECT reason, seconds FROM conservator.run_wait"))
        assert reasons["promql"] > 0


UNFIT = {
    "app_latency_seconds > 100": "returned no series",
    "{__name__=~'up|app_latency_seconds'}": "returned 2 series",
    "vector(NaN)": "returned NaN",
    "'text'": "returned a string",
    "app_latency_seconds[1m]": "returned a matrix",
    "sum(": "answered with HTTP 400: invalid parameter",
}


async def test_a_query_without_one_number_is_unknown(tmp_path: Path) -> None:
    async with prometheus_scraping(Gauge(), tmp_path) as url:
        for query, problem in UNFIT.items():
            found = await read_value(PromqlQuery(url, query), timeout_seconds=DEADLINE)
            assert isinstance(found, Unknown), query
            assert found.reason.startswith(f"healing.pace.promql: Prometheus at {url} {problem}")


async def test_the_query_goes_where_the_url_says_with_what_it_holds() -> None:
    asked: list[tuple[str, dict[str, str], str | None]] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append((request.path, dict(request.query), request.headers.get("Authorization")))
        return web.json_response(ONE)

    async with http_server(answer) as port:
        url = f"http://me:s%20cret@127.0.0.1:{port}/prom/?tenant=a%2Bb"
        assert await read_value(PromqlQuery(url, "a + b"), timeout_seconds=DEADLINE) == 0.25
    ((path, query, authorization),) = asked
    assert path == "/prom/api/v1/query"
    assert query == {"tenant": "a+b", "query": "a + b"}
    assert authorization == "Basic bWU6cyBjcmV0"


@pytest.mark.parametrize(
    ("case", "problem"),
    [
        ("not json", "answered with HTTP 200 and something else"),
        ("unavailable", "answered with HTTP 503"),
        ("huge", f"answered more than {MAX_BYTES >> 10} KiB"),
        ("silent", "did not answer within 0.3 s"),
        ("cut", "can't be asked (ServerDisconnectedError)"),
        ("circular", "can't be asked (TooManyRedirects)"),
    ],
)
async def test_a_bad_answer_is_unknown_and_tells_no_secret(case: str, problem: str) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if case == "silent":
            await asyncio.sleep(60)
        if case == "cut":
            assert request.transport is not None
            request.transport.close()
        if case == "circular":
            raise web.HTTPFound(request.rel_url)
        texts = {"not json": "<html>", "huge": json.dumps(ONE) + " " * MAX_BYTES}
        return web.Response(
            text=texts.get(case, "gone"), status=503 if case == "unavailable" else 200
        )

    async with http_server(answer) as port:
        asked = PromqlQuery(f"http://me:secret@127.0.0.1:{port}/?token=secret", "up")
        seconds = 0.3 if case == "silent" else DEADLINE
        found = await read_value(asked, timeout_seconds=seconds)
    assert isinstance(found, Unknown)
    assert f"Prometheus at http://127.0.0.1:{port} {problem}" in found.reason
    assert "secret" not in found.reason + repr(asked)


async def test_a_server_that_is_not_there_is_unknown() -> None:
    asked = PromqlQuery(f"http://me:secret@127.0.0.1:{free_port()}", "up")
    found = await read_value(asked, timeout_seconds=DEADLINE)
    assert isinstance(found, Unknown)
    assert "can't be asked (" in found.reason
    assert "secret" not in found.reason
