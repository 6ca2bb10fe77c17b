"""`check`: every check once, for people, cron and CI."""

from __future__ import annotations

import socket
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.doctor import Blocks
from checks.errors import ConservatorError
from checks.judgement import Outcome
from exporters.prometheus import create_registry
from exporters.pushgateway import push
from exporters.textfile import write_textfile
from monitor.check_times import CheckTimes
from monitor.cli.output import console, duration, number, print_json, table
from monitor.cli.session import with_engine
from monitor.config import Mode, Settings
from monitor.database import create_engine, snapshot
from monitor.revision import revision
from monitor.runner import CensusRunner, StructureRunner
from monitor.scheduler import Schedule
from monitor.state import schema
from monitor.state.control import read_control
from monitor.state.counters import read_counters
from monitor.state.statements import SchemaStatements
from monitor.status import CheckStatus, Status, StatusBoard
from monitor.workshop import build, inspect, require

CHECKS = ("census", "structure")

EXIT_CODES = {Outcome.ERROR: 3, Outcome.FAIL: 1, Outcome.WARN: 2}
"""The worst outcome decides, in this order."""

_STYLES = {
    Outcome.PASS: "green",
    Outcome.WARN: "yellow",
    Outcome.FAIL: "bold red",
    Outcome.ERROR: "bold magenta",
    Outcome.SKIPPED: "dim",
}


def check(
    context: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Only these checks.")
    ] = None,
    textfile: Annotated[
        Path | None, typer.Option(help="Write the metrics to this file, atomically.")
    ] = None,
    pushgateway: Annotated[
        str | None, typer.Option(metavar="URL", help="Push the metrics to this Pushgateway.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Run every check once.

    Exit 3 when a check could not be evaluated, else 1 when one failed, else 2 for warnings, else 0.
    """
    unknown = sorted(set(names or ()) - set(CHECKS))
    if unknown:
        raise typer.BadParameter(
            f"no check is called {', '.join(unknown)}; expected {', '.join(CHECKS)}"
        )
    wanted = tuple(name for name in CHECKS if not names or name in names)
    started = time.perf_counter()

    async def work(engine: AsyncEngine, settings: Settings) -> tuple[StatusBoard, Settings]:
        return await run_checks(engine, settings, wanted), settings

    board, settings = with_engine(context, work)
    status = board.current
    registry = create_registry(board, observe=settings.healing.mode is Mode.OBSERVE, process=False)
    if textfile is not None:
        write_textfile(registry, textfile)
    if pushgateway is not None:
        push(registry, pushgateway, instance=socket.gethostname())
    if as_json:
        print_json({"checks": list(status.checks.values()), "census": status.census})
    else:
        _print(status, time.perf_counter() - started)
    outcomes = {one.outcome for one in status.checks.values()}
    return next((code for outcome, code in EXIT_CODES.items() if outcome in outcomes), 0)


async def run_checks(
    engine: AsyncEngine, settings: Settings, names: tuple[str, ...]
) -> StatusBoard:
    """Run the checks `names` once; nothing is written anywhere."""
    board = StatusBoard(
        Status(
            started=datetime.now(UTC),
            version=metadata.version("conservator"),
            revision=revision(),
            leader=True,
            database_up=True,
        )
    )
    started = time.perf_counter()
    examination = await inspect(engine, settings)
    seconds = time.perf_counter() - started
    if "structure" in names and examination.catalogue is not None:
        workshop = build(engine, settings, examination, examination.catalogue)
        StructureRunner(_times("structure", settings, board)).publish(workshop, seconds=seconds)
    if "census" in names:
        times = _times("census", settings, board)
        try:
            catalogue = require(examination, Blocks.COUNTING)
        except ConservatorError as error:
            times.failed(str(error), seconds=seconds)
            return board
        workshop = build(engine, settings, examination, catalogue)
        await _read_state(engine, settings, board)
        read_url = settings.database.sqlalchemy_read_url
        read_engine = engine if read_url is None else create_engine(read_url, pool_size=1)
        try:
            await CensusRunner(read_engine, lambda: workshop, board, times, keep=1).run()
        finally:
            if read_engine is not engine:
                await read_engine.dispose()
    else:
        require(examination, Blocks.COUNTING)
    return board


def _times(name: str, settings: Settings, board: StatusBoard) -> CheckTimes:
    spec = settings.checks.census if name == "census" else settings.checks.structure
    schedule = Schedule(spec.every, spec.cron, settings.catalog.timezone)
    return CheckTimes(name, schedule, board, budget=None)


async def _read_state(engine: AsyncEngine, settings: Settings, board: StatusBoard) -> None:
    """The last verified cutoff and the totals, where there is a state schema."""
    name = settings.database.state_schema
    async with snapshot(engine, timeout=settings.database.statement_timeout) as connection:
        if not await schema.is_current(connection, name):
            return
        statements = SchemaStatements(name)
        board.update(
            control=await read_control(connection, statements),
            control_known=True,
            counters=await read_counters(connection, statements),
            state_schema_current=True,
        )


def _print(status: Status, seconds: float) -> None:
    shown = table("check", "outcome", "value", "took", "", numbers=("value", "took"))
    for one in status.checks.values():
        outcome = one.outcome or Outcome.ERROR
        shown.add_row(
            one.name,
            Text(outcome.value, style=_STYLES[outcome]),
            number(one.value),
            duration(one.duration_seconds),
            Text(one.message),
        )
    console.print(shown)
    for one in status.checks.values():
        _print_evidence(one)
    census = status.census
    if census is not None:
        console.print(
            f"tracked {number(census.tracked)}, fresh {number(census.fresh)},"
            f" storage {number(census.storage)},"
            f" legacy_untracked {number(census.legacy_untracked)}"
            f" (aged {number(census.aged)}, appeared {number(census.appeared)})"
        )
    users = status.users
    if census is not None and users is not None:
        console.print(
            f"users: {number(users.affected)} affected, {number(users.clear)} clear,"
            f" {number(census.untracked_users)} untracked"
        )
    console.print(f"took {duration(seconds)}", style="dim")


def _print_evidence(one: CheckStatus) -> None:
    for row in one.evidence:
        console.print("  ", ", ".join(f"{key} {value}" for key, value in row.items()), style="dim")
