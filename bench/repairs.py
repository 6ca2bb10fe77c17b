"""A repair of a million rows and its undo against bare statements: `python -m bench.repairs`.

Users have left without their impressions. A repair deletes these, batch by batch, and its undo puts
them back; on another copy one DELETE … RETURNING does the first and one INSERT … SELECT, from a
copy of the rows, the second. On a third the app is at work beside the repair at the default pace.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict

import psycopg
from psycopg import sql

from bench.alone import alone
from bench.errors import BenchmarkError
from bench.gallery import LEGACY
from bench.heal_run import DUTY, runtime_at, take_back, timed
from bench.measures import Goal, Measure, compared
from bench.options import Options
from bench.progress import note
from bench.report import Fact, Report
from bench.servers import copied, statement
from bench.shares import Backfill
from bench.traffic import GOAL as TRAFFIC_GOAL
from bench.traffic import beside, gated, in_windows, visited
from bench.windows import Round
from checks.doctor.findings import Blocks
from monitor.run_tools import repair_planner, tools_to_repair
from monitor.runtime import Runtime
from monitor.state.runs import Run, Trigger
from tests.support.postgres import PostgresServer

DELETE_GOAL = Goal(0.5, at_most=False)
"""The repair's writing reaches so many of the rows a second of the bare statement, which leaves
nothing behind by which it could be taken back."""
MEMORY_GOAL = Goal(1.1)
"""Resident memory, most, to that after the first batches."""
REPAIR = """
repairs:
  - name: orphans
    check: orphan_impressions
    table: user_art_impressions
    find: >-
      SELECT i.id FROM user_art_impressions i LEFT JOIN users u ON u.id = i.user_id
      WHERE u.id IS NULL
    action: delete
    max_rows_per_run: 100000000
    breaker: {max_rows: 100000000, max_share: 100%}
"""
_GALLERY, _COPY = "gallery_orphans", "gallery_copy"
_UNIT = "rows/s"
_FIRST_BATCHES = 10
_PACE = "50%"
"""healing.pace.duty by default."""


def measure(server: PostgresServer, options: Options) -> Report:
    """On copies of the legacy gallery, which must be there already."""
    with copied(server, LEGACY, _GALLERY) as gallery:
        note(f"repairs: {options.million:,} orphans")
        with psycopg.connect(server.conninfo(gallery), autocommit=True) as connection:
            planted = statement("plant_orphans").format(rows=sql.Literal(options.million))
            connection.execute(planted)
            connection.execute("VACUUM ANALYZE users")
        with copied(server, gallery, _COPY) as database:
            bare, back = _by_hand(server.conninfo(database))
        note("repairs: a run and its undo")
        with copied(server, gallery, _COPY) as database:
            mended, undone = asyncio.run(_repair(server.url(database)))
        rounds = _beside(server, gallery, options) if options.traffic_rounds else []
    for name, result in (("The run", mended), ("its undo", undone), ("the way back", back)):
        if result.rows != bare.rows:
            raise BenchmarkError(f"{name} wrote {result.rows} rows, expected {bare.rows}")
    return _report(bare, back, mended, undone, rounds)


def _by_hand(conninfo: str) -> tuple[Backfill, Backfill]:
    """One statement each way; what is deleted travels to us, and is forgotten."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(statement("keep_orphans"))
        connection.execute("ANALYZE kept_orphans")
        note("repairs: one DELETE … RETURNING")
        started = time.perf_counter()
        with connection.cursor() as cursor:
            with cursor.copy(statement("delete_orphans")) as rows:
                for _ in rows:
                    pass
            gone = Backfill(cursor.rowcount, time.perf_counter() - started)
        note("repairs: one INSERT … SELECT")
        started = time.perf_counter()
        count = connection.execute(statement("give_back_orphans")).rowcount
        return gone, Backfill(count, time.perf_counter() - started)


async def _repair(url: str) -> tuple[Backfill, Backfill]:
    """At full duty, each from its plan to its verified end."""
    async with runtime_at(url, DUTY + REPAIR, Blocks.COUNTING) as runtime:
        mending = await _tools(runtime)
        mended, run = await timed(mending, lambda: _plan(mending))
        return mended, await take_back(runtime, run)


async def _tools(runtime: Runtime) -> Runtime:
    (repair,) = runtime.settings.repairs
    return await tools_to_repair(runtime, repair)


async def _plan(mending: Runtime) -> Run | None:
    (repair,) = mending.settings.repairs
    return await repair_planner(mending, repair).plan(
        mending.run_owner(Trigger.COMMAND),
        reason="A benchmark.",
        max_rows=repair.max_rows_per_run,
    )


def _beside(server: PostgresServer, gallery: str, options: Options) -> list[Round]:
    """The app's visits, in turn without and with the repair."""
    note("repairs: the app beside one at the default pace")
    with (
        copied(server, gallery, _COPY) as database,
        visited(server, database) as (gate, visitors),
    ):

        async def work() -> list[Round]:
            more = gated(_PACE, options) + REPAIR
            async with runtime_at(server.url(database), more, Blocks.COUNTING) as runtime:
                mending = await _tools(runtime)
                run = await _plan(mending)
                if run is None:
                    raise BenchmarkError("There is nothing to mend in this gallery.")
                return await in_windows(mending, run, gate, visitors, options)

        return asyncio.run(work())


def _report(
    bare: Backfill, back: Backfill, mended: Backfill, undone: Backfill, rounds: list[Round]
) -> Report:
    deleted = Measure("one DELETE … RETURNING", _UNIT, (bare.rows / bare.writing,))
    inserted = Measure("one INSERT … SELECT", _UNIT, (back.rows / back.writing,))
    measures: list[Measure] = [
        deleted,
        compared("a repair, writing", _UNIT, [_rate(mended)], deleted, DELETE_GOAL),
        *_whole("a repair", mended, deleted),
        inserted,
        compared("its undo, writing", _UNIT, [_rate(undone)], inserted),
        *_whole("its undo", undone, inserted),
    ]
    facts: dict[str, Fact] = {"rows": mended.rows}
    if rounds:
        found, told = beside("a repair at the default pace", rounds, TRAFFIC_GOAL)
        measures += found
        facts |= told | {"batches beside the app": sum(one.batches for one in rounds)}
    details = {
        name: [asdict(point) for point in one.batches]
        for name, one in (("repair", mended), ("undo", undone))
    }
    return Report("repairs", tuple(measures), facts, details)


def _whole(name: str, done: Backfill, base: Measure) -> Sequence[Measure]:
    first = Measure(f"{name}, memory after {_FIRST_BATCHES} batches", "MB", (_early(done),))
    return (
        Measure(f"{name}, planning", "s", (done.planning,)),
        Measure(f"{name}, verification", "s", (done.verifying,)),
        compared(f"{name}, from the wish to the end", _UNIT, [done.rows / done.whole], base),
        Measure(f"{name}, a batch", "s", tuple(one.seconds for one in done.batches)),
        Measure(f"{name}, rows a batch", "rows", tuple(one.inserted for one in done.batches)),
        first,
        compared(f"{name}, memory, most", "MB", [max(done.memory)], first, MEMORY_GOAL),
    )


def _early(done: Backfill) -> float:
    return done.memory[:_FIRST_BATCHES][-1]


def _rate(done: Backfill) -> float:
    return done.rows / done.writing


if __name__ == "__main__":
    alone(__doc__, measure, LEGACY)
