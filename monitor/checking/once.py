"""Every check once, as `check` and cron want it: nothing is scheduled, and nothing is kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime
from importlib import metadata

from sqlalchemy.ext.asyncio import AsyncEngine

from checks.doctor.findings import Blocks
from checks.errors import ConservatorError, StatementError
from monitor.checking.expectations.check import require_known_expectations
from monitor.checking.expectations.worker import WorkerPool
from monitor.checking.registry import CheckRegistry
from monitor.checking.runner import CheckTracker
from monitor.config import Settings
from monitor.database import create_engine, snapshot
from monitor.replicas.published import read_checks
from monitor.runtime import CurrentRuntime, build, inspect_rows, require_catalogue
from monitor.state import schema
from monitor.state.control import read_control
from monitor.state.counters import read_counters
from monitor.state.statements import SchemaStatements
from monitor.status import STRUCTURE, CheckResult, Status, StatusBoard, revision


def check_names(settings: Settings) -> tuple[str, ...]:
    """The checks that can be asked for: those that are enabled; a suite stands for its
    expectations."""
    checks = settings.checks
    own = [name for name in checks.built_in() if getattr(checks, name).enabled]
    sql = [one.name for one in checks.sql if one.enabled]
    suites = [one.name for one in checks.expectations if one.enabled]
    return (*own, *sql, *suites)


async def check_once(
    engine: AsyncEngine, settings: Settings, names: Collection[str]
) -> StatusBoard:
    """Run the checks `names` once; nothing is written anywhere."""
    async with AsyncExitStack() as stack:
        worker = WorkerPool()
        stack.push_async_callback(worker.close)
        read_engine = engine
        if settings.database.sqlalchemy_read_url is not None:
            read_engine = create_engine(settings.database.sqlalchemy_read_url, pool_size=2)
            stack.push_async_callback(read_engine.dispose)
        if any(suite.name in names for suite in settings.checks.expectations):
            # Where the worker can't tell, the suite says why.
            with suppress(StatementError):
                await require_known_expectations(settings, worker)
        return await _check(engine, read_engine, settings, worker, names)


async def _check(
    engine: AsyncEngine,
    read_engine: AsyncEngine,
    settings: Settings,
    worker: WorkerPool,
    names: Collection[str],
) -> StatusBoard:
    runtime = CurrentRuntime()
    board = StatusBoard(
        Status(
            started=datetime.now(UTC),
            version=metadata.version("conservator"),
            revision=revision(),
            leader=True,
            database_up=True,
        )
    )
    registry = CheckRegistry(
        settings, board, engine, read_engine, worker, runtime, on_read=lambda _: None
    )
    checks = [one for name, one in registry.checks.items() if name in names]
    started = time.perf_counter()
    try:
        examination = await inspect_rows(engine, settings)
    except StatementError as error:  # a table that somebody changes, for instance
        _show_alone(board, checks, {})
        _publish_none(checks, str(error))
        return board
    seconds = time.perf_counter() - started
    board.update(examination=examination)
    _show_alone(board, checks, await _read_state(engine, settings, board))
    if STRUCTURE in names:
        registry.publish_structure(examination, seconds=seconds)
    others = [one for one in checks if one.name != STRUCTURE]
    try:
        catalogue = require_catalogue(examination, Blocks.COUNTING)
    except ConservatorError as error:
        _publish_none(others, str(error))
        return board
    runtime.replace(build(engine, settings, examination, catalogue))

    async def run(one: CheckTracker) -> None:
        one.publish(await registry.runner.run(one.definition, None))

    await asyncio.gather(*(run(one) for one in others))
    return board


def _publish_none(checks: Iterable[CheckTracker], reason: str) -> None:
    """None could be evaluated; the reason is told once."""
    told, first = reason, ""
    for one in checks:
        one.publish(one.definition.failed(told, None))
        first = first or one.name
        told = f"Nothing can be counted: see {first}."


def _show_alone(
    board: StatusBoard, checks: Iterable[CheckTracker], known: Mapping[str, CheckResult]
) -> None:
    """These checks alone. Since when the outcome is what the service found last is compared with
    what is found now."""
    shown = {name: board.current.checks[name] for one in checks for name in one.definition.rows}
    for name in shown.keys() & known.keys():
        before = known[name]
        shown[name] = replace(shown[name], outcome=before.outcome, since=before.since)
    board.update(checks=shown)


async def _read_state(
    engine: AsyncEngine, settings: Settings, board: StatusBoard
) -> dict[str, CheckResult]:
    """The last verified cutoff and the totals, and what the service found last, where there is a
    state schema."""
    database = settings.database
    async with snapshot(engine, timeout=database.statement_timeout) as connection:
        if not await schema.is_current(connection, database.state_schema):
            return {}
        statements = SchemaStatements(database.state_schema)
        board.update(
            control=await read_control(connection, statements),
            control_known=True,
            counters=await read_counters(connection, statements),
            state_schema_current=True,
        )
        return await read_checks(connection, statements)
