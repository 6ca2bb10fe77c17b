"""A node of a Citus cluster that goes away, at whatever statement: who waits for it goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url
from structlog.testing import capture_logs

from checks.errors import DatabaseUnavailableError
from checks.judgement import Outcome
from monitor.runtime import Runtime, inspect_catalogue
from monitor.state.runs import Run, RunState
from monitor.status import CENSUS, CheckResult
from tests.chaos.faults import Boundary
from tests.chaos.wire import Wire
from tests.support.app import App, app_on
from tests.support.commands import on_one_server
from tests.support.healing import heal, make_runtime, plan, prepare_state
from tests.support.ledger_audit import assert_ledger_is_there, assert_records_agree
from tests.support.lost_nodes import LOST, NODE, TOO_LARGE
from tests.support.protocol import ErrorTold
from tests.support.roles import as_service
from tests.support.services import is_clean, service_on
from tests.support.undoing import MATCHING, plan_undo
from tests.support.waiting import wait_until

pytestmark = [on_one_server, pytest.mark.prepared, pytest.mark.long]

USERS, ARTWORKS = 2, 4
LEGACY = USERS * ARTWORKS
# A slow machine must not change the sizes, or the rehearsal tells nothing.
PACED: dict[str, Any] = {
    "healing": {"pace": {"max_batch": 5, "batch_target": "1500ms"}},
    "lease": "5m",
}
TRIES = 3
_FORGET = """
DELETE FROM user_art_impressions WHERE artwork_id LIKE 'old%';
DELETE FROM conservator.backfilled_impression;
DELETE FROM conservator.batch; DELETE FROM conservator.work; DELETE FROM conservator.run_wait;
DELETE FROM conservator.run; DELETE FROM conservator.counter;
"""
_UNDONE = "DELETE FROM conservator.run WHERE kind = 'undo'; DELETE FROM conservator.counter"
_RUNS = "SELECT kind, state FROM conservator.run ORDER BY id"
_EXPIRE = "UPDATE conservator.run SET lease_until = now() WHERE state = 'running'"
_ENDED = (
    "SELECT (array_agg(kind ORDER BY id DESC))[1] FROM conservator.run WHERE state = 'succeeded'"
)
_UNFINISHED = "SELECT max(id) FROM conservator.run WHERE state IN ('running', 'held')"


@dataclass(frozen=True)
class Work:
    """A kind of run, and how one begins."""

    kind: str
    plan: Callable[[Runtime], Awaitable[Run]]


@asynccontextmanager
async def wired(url: str, folder: Path) -> AsyncIterator[tuple[Wire, App, str]]:
    """A gallery; the proxy before it; the URL that leads through it for the service's role."""
    await prepare_state(url)
    wire = Wire(Path(str(make_url(url).query["host"])))
    through = make_url(as_service(url)).update_query_dict({"host": str(folder)})
    async with app_on(url) as app, wire.at(folder):
        await app.plant(users=USERS, artworks=ARTWORKS)
        yield wire, app, through.render_as_string(hide_password=False)


async def work(runtime: Runtime, app: App, begin: Work) -> None:
    """Whoever loses a run to a node comes back to it, as the loop and a person do, until it has
    ended."""
    for attempt in range(TRIES):
        unfinished = await app.value(_UNFINISHED)
        if attempt and unfinished is None and await app.value(_ENDED) == begin.kind:
            return  # Only the answer was lost.
        try:
            if unfinished is None:
                run = await begin.plan(runtime)
            else:
                await app.run(_EXPIRE)
                resumed = await runtime.resume(unfinished)
                assert resumed is not None
                run = resumed
            await runtime.executor(lambda _: None).work(run)
        except DatabaseUnavailableError as error:
            assert f"A node of the cluster ({NODE}) can't be used" in str(error)
            assert "database.url" not in str(error)
        else:
            return
    raise AssertionError(f"not finished after {TRIES} tries")


async def strike_everywhere(
    wire: Wire, runtime: Runtime, app: App, begin: Work
) -> AsyncIterator[str]:
    """Rehearse; then lose a node at each statement of it, where that comes first and where it comes
    last, and yield when the run has ended."""
    wire.disarm()
    await work(runtime, app, begin)
    # A look at other sessions comes only where a batch takes long.
    seen = [one.boundary for one in wire.seen if "pg_blocking_pids" not in one.boundary.statement]
    first = {one.statement: one for one in reversed(seen)}
    last = {one.statement: one for one in seen if "batch" in one.statement}
    struck_at = dict.fromkeys((*first.values(), *last.values()))
    assert len(struck_at) > 40
    yield "rehearsed"
    for boundary, error in zip(struck_at, cycle(LOST), strict=False):
        struck: list[Boundary] = []
        wire.fail(partial(once, boundary, error, struck))
        await work(runtime, app, begin)
        name = f"{error.sqlstate} {error.message[:40]} at {boundary}"
        assert struck, name
        yield name


def once(
    wanted: Boundary, error: ErrorTold, struck: list[Boundary], at: Boundary
) -> ErrorTold | None:
    """The error, the first time that the boundary comes."""
    if struck or at != wanted:
        return None
    struck.append(at)
    return error


HEAL = Work("heal", plan)
UNDO = Work("undo", partial(plan_undo, run_id=1))


async def test_a_node_that_goes_away_at_any_statement_of_a_run_is_waited_for(
    app_database_url: str, tmp_path: Path
) -> None:
    async with (
        wired(app_database_url, tmp_path) as (wire, app, through),
        make_runtime(through, citus=True, **PACED) as runtime,
    ):
        async for name in strike_everywhere(wire, runtime, app, HEAL):
            assert await app.rows(_RUNS) == [("heal", "succeeded")], name
            assert await app.value(MATCHING) == LEGACY, name
            await assert_records_agree(app)
            await assert_ledger_is_there(app)
            await app.run(_FORGET)


async def test_and_of_an_undo(app_database_url: str, tmp_path: Path) -> None:
    async with (
        wired(app_database_url, tmp_path) as (wire, app, through),
        make_runtime(through, citus=True, **PACED) as runtime,
    ):
        await heal(runtime)
        await app.run(
            "CREATE TABLE kept AS TABLE user_art_impressions;"
            "CREATE TABLE listed AS TABLE conservator.backfilled_impression"
        )
        async for name in strike_everywhere(wire, runtime, app, UNDO):
            assert await app.rows(_RUNS) == [("heal", "succeeded"), ("undo", "succeeded")], name
            assert await app.value(MATCHING) == 0, name
            assert await app.value("SELECT count(*) FROM conservator.backfilled_impression") == 0
            await app.run(
                "INSERT INTO user_art_impressions SELECT * FROM kept ON CONFLICT DO NOTHING;"
                "INSERT INTO conservator.backfilled_impression SELECT * FROM listed"
            )
            await app.run(_UNDONE)


async def test_an_internal_error_that_names_no_lost_node_fails_the_run(
    app_database_url: str, tmp_path: Path
) -> None:
    async with (
        wired(app_database_url, tmp_path) as (wire, app, through),
        make_runtime(through, citus=True, **PACED) as runtime,
    ):
        run = await plan(runtime)
        wire.fail(lambda at: TOO_LARGE if "cte_written" in at.statement else None)
        ended = await runtime.executor(lambda _: None).work(run)
        assert ended.run.state is RunState.FAILED
        assert "max_intermediate_result_size" in ended.run.outcome
        assert await app.value(MATCHING) == 0


async def test_a_node_that_goes_away_at_any_question_of_doctor_is_told_and_nothing_else(
    app_database_url: str, tmp_path: Path
) -> None:
    async with (
        wired(app_database_url, tmp_path) as (wire, _, through),
        make_runtime(through) as runtime,
    ):
        wire.disarm()
        whole = await inspect_catalogue(runtime.engine, runtime.settings)
        boundaries = [one.boundary for one in wire.seen]
        told = 0
        savepoint = next(one for one in boundaries if one.statement.startswith("SAVEPOINT"))
        for boundary, error in zip((*boundaries[::6], savepoint), cycle(LOST), strict=False):
            wire.fail(partial(once, boundary, error, []))
            try:
                found = await inspect_catalogue(runtime.engine, runtime.settings)
            except DatabaseUnavailableError as lost:
                assert f"A node of the cluster ({NODE})" in str(lost), boundary
                told += 1
                continue
            told += found.lost_node is not None
            # Or nothing came of it: the session was replaced, or its answer was not needed.
            codes = [one.code for one in found.findings]
            assert found.lost_node or codes == [one.code for one in whole.findings], boundary
        assert told > len(boundaries) / 12


def on_the_nodes(at: Boundary) -> bool:
    """Whether the statement needs them: rows of the app's, or the ledger's."""
    return "user_art_impressions" in at.statement and "pg_catalog" not in at.statement


async def test_a_service_goes_on_when_the_node_is_back_and_its_breaker_stays_closed(
    app_database_url: str, tmp_path: Path
) -> None:
    async with wired(app_database_url, tmp_path) as (wire, app, through):
        lost = cycle(LOST)

        def away(at: Boundary) -> ErrorTold | None:
            return next(lost) if on_the_nodes(at) else None

        with capture_logs() as events:

            def told(name: str) -> int:
                return sum(one["event"] == name for one in events)

            breaker = {"stuck_after": 1, "max_share": "100%", "max_tracked_drop": "100%"}
            async with service_on(through, pace={"max_batch": 2}, breaker=breaker) as service:
                await wait_until(lambda: told("run_started") == 1)
                wire.fail(away)
                await wait_until(lambda: told("batch_retried") >= 3)
                wire.disarm()
                await wait_until(lambda: is_clean(service))
                assert await app.rows(_RUNS) == [("heal", "succeeded")]
                # Nothing is under way, and nothing can be counted.
                wire.fail(away)

                def census() -> CheckResult:
                    return service.board.current.checks[CENSUS]

                await wait_until(lambda: census().outcome is Outcome.ERROR)
                assert f"A node of the cluster ({NODE}) can't be used" in census().message
                wire.disarm()
                await wait_until(lambda: is_clean(service))
                assert not service.board.current.control.breaker_open
        assert told("run_failed") == 0
