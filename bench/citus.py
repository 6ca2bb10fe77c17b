"""What the forms for Citus cost on plain PostgreSQL, against its own: `python -m bench.citus`.

A form that costs at most a tenth more serves both engines; a dearer one is Citus's alone
(`ON_CITUS` and the audience, in checks/citus/forms.py).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from bench.alone import alone
from bench.gallery import LEGACY
from bench.measures import Measure, compared
from bench.options import Options
from bench.report import Report
from bench.servers import copied, settings_for
from checks import supply
from checks.affected import affected_users_count_sql
from checks.census import CensusForm, census_sql, parameters
from checks.citus.forms import on_citus
from checks.fragments import fragments
from checks.relations import Catalogue
from checks.spec import Cutoffs, PoolsSpec
from checks.statements import render
from monitor.database import create_engine, database_now, set_local, snapshot, transaction
from monitor.healing.statements import HealingStatements, Part
from monitor.healing.undo_strategy import UndoStrategy
from monitor.runtime import Runtime, inspect_catalogue, require_catalogue
from monitor.runtime import build as tools
from monitor.service.startup import ensure_schema
from monitor.state.runs import Run, RunKind, Trigger
from monitor.state.statements import StateStatements
from tests.support.postgres import PostgresServer

_TIMEOUT = timedelta(minutes=10)
_WINDOWS = (5, 20, 100)
"""Users a batch."""
_TAKEN = 1_000
"""Rows that an undo takes back at once."""
_SWEPT = 10_000
"""Rows of the ledger that a step of the sweep examines."""

Text = Callable[[Catalogue], str]


def _reading(pools: PoolsSpec) -> Mapping[str, Text]:
    return {
        "census by artwork": lambda c: census_sql(
            CensusForm.BY_ARTWORK, fragments(c, pools), c.engine
        ),
        "affected users": lambda c: affected_users_count_sql(c, fragments(c, pools)),
        "pool exhaustion": lambda c: next(iter(supply.pool_sql(c, pools).values())),
        "one user's census": lambda c: render("checks", "user_census", fragments(c, pools)),
    }


class _Rounds:
    """Pairs of samples, taken in turn."""

    def __init__(self) -> None:
        self.plain: dict[str, list[float]] = {}
        self.citus: dict[str, list[float]] = {}

    def measures(self) -> tuple[Measure, ...]:
        """Each pair, the first round thrown away."""
        found: list[Measure] = []
        for name, samples in self.plain.items():
            base = Measure(name, "s", tuple(samples[1:]))
            found += [base, compared(f"{name}, for Citus", "s", self.citus[name][1:], base)]
        return tuple(found)


async def _timed(connection: AsyncConnection, text: str, values: Mapping[str, object]) -> float:
    started = time.perf_counter()
    (await connection.exec_driver_sql(text, dict(values))).all()
    return time.perf_counter() - started


async def _read(runtime: Runtime, rounds: _Rounds, count: int) -> None:
    pools, catalogue = runtime.state.pools, runtime.catalogue
    async with snapshot(runtime.engine, timeout=_TIMEOUT) as connection:
        cutoffs = Cutoffs.at(await database_now(connection), pools)
        anybody = await connection.exec_driver_sql("SELECT min(id) FROM users")
        values = {
            **parameters(cutoffs),
            **supply.pool_parameters(cutoffs, 5),
            "user_id": anybody.scalar_one(),
        }
        for _ in range(count + 1):
            for name, text in _reading(pools).items():
                rounds.plain.setdefault(name, []).append(
                    await _timed(connection, text(catalogue), values)
                )
                rounds.citus.setdefault(name, []).append(
                    await _timed(connection, text(on_citus(catalogue)), values)
                )


async def _write(runtime: Runtime, run: Run, rounds: _Rounds, count: int) -> None:
    """Each batch is taken back, so that all of them find the same."""
    for _ in range(count + 1):
        for users in _WINDOWS:
            for found, catalogue in (
                (rounds.plain, runtime.catalogue),
                (rounds.citus, on_citus(runtime.catalogue)),
            ):
                name = f"a batch of {users} users"
                found.setdefault(name, []).append(await _batch(runtime, run, catalogue, users))


async def _take_back(runtime: Runtime, run: Run, rounds: _Rounds, count: int) -> None:
    """Of what one batch has written. The first statement of Citus's forms is part of them."""
    await _batch(runtime, run, runtime.catalogue, _WINDOWS[-1], keep=True)
    behind = {"undoes": run.id, "limit": _TAKEN, "run_id": 0, "user_id": None, "artwork_id": None}
    for _ in range(count + 1):
        for found, catalogue in (
            (rounds.plain, runtime.catalogue),
            (rounds.citus, on_citus(runtime.catalogue)),
        ):
            healing = HealingStatements(
                StateStatements(catalogue, runtime.state.pools, runtime.state.state_schema)
            )
            name = f"an undo of {_TAKEN} rows"
            texts = [healing.over_ledger(one, begun=False) for one in ("undo_users", "undo_batch")]
            settings = UndoStrategy.settings if catalogue is runtime.catalogue else {}
            found.setdefault(name, []).append(await _slice(runtime, texts, behind, settings))
            name = f"a sweep of {_SWEPT} rows"
            texts = [healing.state.text(one) for one in ("ledger_sweep_users", "ledger_sweep")]
            asked: dict[str, object] = {**behind, "limit": _SWEPT, "elsewhere": []}
            found.setdefault(name, []).append(await _slice(runtime, texts, asked, {}))


async def _slice(
    runtime: Runtime, texts: list[str], values: Mapping[str, object], settings: Mapping[str, str]
) -> float:
    users_text, text = texts
    async with transaction(runtime.engine, timeout=_TIMEOUT) as connection:
        await set_local(connection, **{"lock_timeout": "1s", **settings})
        started = time.perf_counter()
        asked = dict(values)
        if "%(users)s" in text:
            users = await connection.exec_driver_sql(users_text, asked)
            asked["users"] = list(users.scalars())
        await _timed(connection, text, asked)
        seconds = time.perf_counter() - started
        await connection.rollback()
    return seconds


async def _batch(
    runtime: Runtime, run: Run, catalogue: Catalogue, users: int, *, keep: bool = False
) -> float:
    state = StateStatements(catalogue, runtime.state.pools, runtime.state.state_schema)
    text = HealingStatements(state).batch_insert(RunKind.HEAL, Part.USERS, quarantine=False)
    async with transaction(runtime.engine, timeout=_TIMEOUT) as connection:
        sliced = await connection.exec_driver_sql(
            state.text("work_slice"), {"run_id": run.id, "position": 0, "limit": users}
        )
        values = {
            "run_id": run.id,
            "legacy_until": run.legacy_until,
            "created_before": run.created_before,
            "position": 0,
            "until": users,
            "users": [row.user_id for row in sliced],
            "limit": None,
            "artwork_cursor": None,
            "now": run.started_at,
            "due_until": run.started_at,
        }
        seconds = await _timed(connection, text, values)
        if not keep:
            await connection.rollback()
    return seconds


async def _measure(url: str, count: int) -> tuple[Measure, ...]:
    settings = settings_for(url)
    engine = create_engine(url, pool_size=2)
    try:
        examination = await inspect_catalogue(engine, settings)
        catalogue = require_catalogue(examination)
        runtime = tools(engine, settings, examination, catalogue)
        await ensure_schema(engine, runtime.state)
        rounds = _Rounds()
        await _read(runtime, rounds, count)
        planned = await runtime.planner.plan_audience(
            runtime.run_owner(Trigger.COMMAND),
            reason="a benchmark",
            max_rows=10**9,
            guard=lambda _census, _control: None,
        )
        assert planned.run is not None
        await _write(runtime, planned.run, rounds, count)
        await _take_back(runtime, planned.run, rounds, count)
        return rounds.measures()
    finally:
        await engine.dispose()


def measure(server: PostgresServer, options: Options) -> Report:
    """The legacy gallery must be there already."""
    with copied(server, LEGACY, "gallery_citus") as database:
        url = server.url(database).replace("postgresql://", "postgresql+psycopg://", 1)
        measures = asyncio.run(_measure(url, options.rounds))
    return Report("citus", measures, {"rounds": options.rounds})


if __name__ == "__main__":
    alone(__doc__, measure, LEGACY)
