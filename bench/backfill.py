"""A heal run against what people write by hand, in rows a second: `python -m bench.backfill`.

The contenders write shares of the same gallery that lie side by side. A heal run of `--million`
rows and the best single statement for as many have a copy of the gallery each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict

from bench import contenders, floors
from bench.alone import alone
from bench.errors import BenchmarkError
from bench.gallery import LEGACY
from bench.heal_run import DUTY, TWO_WRITERS, heal, heal_and_undo
from bench.measures import Goal, Measure, compared
from bench.options import Options
from bench.progress import note
from bench.report import Fact, Report
from bench.servers import copied
from bench.shares import Backfill, Share, Work, find_work
from tests.support.postgres import PostgresServer

LEDGER_GOAL = Goal(0.95, at_most=False)
"""A heal run with everything reaches so many of the rows a second of the best statement that has a
ledger, too."""
SHORT_GOAL = Goal(0.9, at_most=False)
"""Its writing alone, where the run is over before its batches have found their size, to the best
statement without one."""
SKETCH_GOAL = Goal(3.5, at_most=False)
"""Two writers write so many times the rows a second of the sketch as a toolkit runs it: one can't,
since the best single statement is not that fast. The bare one has no goal: that statement is 1.4
times as fast as it."""
MEMORY_GOAL = Goal(1.1)
"""Resident memory, most, to that after the first batches."""

PRODUCT = "heal run, writing"
TOGETHER = "heal run of two writers, writing"
_COPY = "gallery_copy"
_UNIT = "rows/s"
_SKETCH, _TOOLKIT = "the sketch: ids, then VALUES", "the sketch, through SQLAlchemy"
_BY_ARTWORK, _BY_USER = "one statement, (artwork, user)", "one statement, (user, artwork)"
_BARE = "one bare INSERT … SELECT"
_MORE: Mapping[str, Callable[[str, Share], Backfill]] = {
    "windows of users, no ledger": floors.windows_of_users,
    "windows of artworks, no ledger": floors.windows_of_artworks,
    "two statements at a time, half the users each": floors.two_workers,
}
_SLOW: Mapping[str, Callable[[str, Share], Backfill]] = {
    "a transaction a row": contenders.row_by_row,
    "a row a statement, pipelined": contenders.pipelined,
}
_FIRST_BATCHES = 10


def measure(server: PostgresServer, options: Options) -> Report:
    """On copies of the legacy gallery, which must be there already."""
    work = find_work(server, LEGACY)
    done: dict[str, list[Backfill]] = {}
    rounds = max(1, options.backfill_rounds)
    for number in range(rounds):
        with copied(server, LEGACY, _COPY) as database:
            _round(server, database, work.again(), options, done, number)
    best = max((_BY_ARTWORK, _BY_USER, _BARE), key=lambda name: max(_rates(done[name])))
    large = _large(server, work.again(), options, best) if options.million else ()
    measures = (*_measures(done, best), *large)
    facts: dict[str, Fact] = {"rows": options.rows, "rounds": rounds, "best_statement": best}
    batches = [asdict(point) for result in done[PRODUCT] for point in result.batches]
    return Report("backfill", measures, facts, {"batches": batches})


def _round(
    server: PostgresServer,
    database: str,
    work: Work,
    options: Options,
    done: dict[str, list[Backfill]],
    number: int,
) -> None:
    """Everybody once, one after the other; every other round in reverse order."""
    url, conninfo = server.url(database), server.conninfo(database)
    by_hand: dict[str, Callable[[str, Share], Backfill]] = {
        _SKETCH: contenders.sketch,
        _BY_ARTWORK: floors.by_artwork,
        _BY_USER: floors.by_user,
        _BARE: floors.bare,
        _TOOLKIT: lambda _, share: contenders.sketch_by_toolkit(url, share),
    }
    if number == 0:
        by_hand |= {**_MORE, **_SLOW}
    floors.by_artwork(conninfo, work.take(options.slow_rows))  # warms up
    names = [PRODUCT, TOGETHER, *by_hand]
    for name in names if number % 2 == 0 else reversed(names):
        note(f"backfill: {name}")
        share = work.take(options.slow_rows if name in _SLOW else options.rows)
        if name in {PRODUCT, TOGETHER}:
            more = DUTY if name == PRODUCT else TWO_WRITERS
            result = asyncio.run(heal(url, share.rows, more))
        else:
            result = by_hand[name](conninfo, share)
        _check(name, result, share)
        done.setdefault(name, []).append(result)


def _check(name: str, result: Backfill, share: Share) -> None:
    # An artwork or two may have turned legacy since; more is not the same work.
    if abs(result.rows - share.rows) > len(share.users):
        raise BenchmarkError(f"{name} wrote {result.rows} rows, expected {share.rows}")


def _large(server: PostgresServer, work: Work, options: Options, best: str) -> tuple[Measure, ...]:
    """One run of many rows, and the best statement for the same."""
    share = work.take(options.million)
    statement = {_BY_ARTWORK: floors.by_artwork, _BY_USER: floors.by_user, _BARE: floors.bare}[best]
    note(f"backfill: a heal run of {share.rows:,} rows, and its undo")
    with copied(server, LEGACY, _COPY) as database:
        healed, undone = asyncio.run(heal_and_undo(server.url(database), share.rows))
    _check(PRODUCT, healed, share)
    _check("Its undo", undone, share)
    note(f"backfill: {best}, {share.rows:,} rows")
    with copied(server, LEGACY, _COPY) as database:
        floor = statement(server.conninfo(database), share)
    _check(best, floor, share)
    note(f"backfill: the same with a ledger, {share.rows:,} rows")
    order = floors.BY_USER if best == _BY_USER else floors.BY_ARTWORK
    with copied(server, LEGACY, _COPY) as database:
        listed = floors.with_ledger(server.conninfo(database), share, order)
    _check(best, listed, share)
    words = f"{share.rows:,} rows"
    base = Measure(f"{best}, {words}", _UNIT, (floor.rows / floor.writing,))
    ledger = Measure(f"… with a ledger, {words}", _UNIT, (listed.rows / listed.writing,))
    verified, whole = healed.rows / healed.verified, healed.rows / healed.whole
    first = Measure(
        f"memory after {_FIRST_BATCHES} batches", "MB", (healed.memory[:_FIRST_BATCHES][-1],)
    )
    return (
        base,
        ledger,
        compared(f"heal run and recount, {words}", _UNIT, [verified], ledger, LEDGER_GOAL),
        compared(f"… to the one without a ledger, {words}", _UNIT, [verified], base),
        compared(f"… with planning, {words}", _UNIT, [whole], base),
        Measure(f"heal run, planning, {words}", "s", (healed.planning,)),
        Measure(f"heal run, recount, {words}", "s", (healed.verifying,)),
        Measure(f"its undo, {words}", _UNIT, (undone.rows / undone.writing,)),
        first,
        compared(f"memory, most, {words}", "MB", [max(healed.memory)], first, MEMORY_GOAL),
    )


def _measures(done: dict[str, list[Backfill]], best: str) -> tuple[Measure, ...]:
    healed = done[PRODUCT]
    bases = {name: Measure(name, _UNIT, tuple(_rates(done[name]))) for name in done}
    others = [bases[name] for name in done if name not in {PRODUCT, TOGETHER, best}]
    product, together = _rates(healed), _rates(done[TOGETHER])
    verified = [r.rows / r.verified for r in healed]
    return (
        bases[best],
        compared(f"{PRODUCT}, to the best statement", _UNIT, product, bases[best], SHORT_GOAL),
        compared("heal run and recount, to the best statement", _UNIT, verified, bases[best]),
        *others,
        compared(f"{PRODUCT}, to the sketch", _UNIT, product, bases[_SKETCH]),
        compared(f"{PRODUCT}, to SQLAlchemy's sketch", _UNIT, product, bases[_TOOLKIT]),
        compared(
            f"{TOGETHER}, to SQLAlchemy's sketch", _UNIT, together, bases[_TOOLKIT], SKETCH_GOAL
        ),
        compared(f"{TOGETHER}, to one writer", _UNIT, together, bases[PRODUCT]),
        *(compared(f"{PRODUCT}, to {name}", _UNIT, product, bases[name]) for name in _SLOW),
        Measure("heal run, a batch", "s", tuple(p.seconds for r in healed for p in r.batches)),
        Measure(
            "heal run, rows a batch", "rows", tuple(p.inserted for r in healed for p in r.batches)
        ),
    )


def _rates(results: list[Backfill]) -> list[float]:
    return [result.rows / result.writing for result in results]


if __name__ == "__main__":
    alone(__doc__, measure, LEGACY)
