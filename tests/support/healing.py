"""Healing on a real database: the tools as the service builds them, and a gate that stops batches
in the middle.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from psycopg import sql
from sqlalchemy import make_url

from checks.citus.forms import on_citus
from monitor.config import Settings, parse_config
from monitor.database import create_engine, transaction
from monitor.healing.executor import Progress, RunResult
from monitor.runtime import Runtime, build, inspect_catalogue, require_catalogue
from monitor.service.startup import ensure_schema
from monitor.state.runs import Run, RunState, Trigger, get_run
from monitor.state.transitions import claim
from tests.support.app import App, app_on
from tests.support.databases import APP, PREPARED, create_database, execute
from tests.support.postgres import PostgresServer
from tests.support.roles import OWNER, as_service, prepare_for_service
from tests.support.waiting import wait_until

UNLIMITED = 10**6
_with_template: set[Path] = set()
_EAGER: Mapping[str, Mapping[str, object]] = {"healing": {"pace": {"duty": "100%"}}}

_GATE_KEY = 4711
IMPRESSIONS = "user_art_impressions"
"""The gate before the impressions: the statement has its snapshot, and has written nothing yet."""
RECORD = "batch"
"""The gate after the impressions: they and their ledger are written, the cursor has not moved."""
_GATE = f"""
CREATE TABLE gate (place text, after_batches bigint);
INSERT INTO gate VALUES ('', 0);
CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF current_setting('application_name') = 'conservator' AND EXISTS (
        SELECT FROM gate WHERE place = TG_TABLE_NAME AND after_batches
            <= (SELECT coalesce(max(batches), 0) FROM conservator.run WHERE state = 'running'))
    THEN PERFORM pg_advisory_xact_lock_shared({_GATE_KEY});
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER gate BEFORE INSERT OR DELETE ON user_art_impressions
    FOR EACH STATEMENT EXECUTE FUNCTION wait_at_gate();
CREATE TRIGGER gate BEFORE INSERT ON conservator.batch
    FOR EACH STATEMENT EXECUTE FUNCTION wait_at_gate();
"""


class Gate:
    """While closed, a batch stops inside its transaction. Needs the state schema."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def build(self, *, after_batches: int = 0, place: str = IMPRESSIONS) -> None:
        """Build it, closed to the batches of a run that follow the first `after_batches`."""
        await self._app.run(_GATE)
        await self.close(after_batches=after_batches, place=place)

    async def close(self, *, after_batches: int = 0, place: str = IMPRESSIONS) -> None:
        """Close it."""
        await self._app.run(
            "UPDATE gate SET after_batches = %(n)s, place = %(place)s", n=after_batches, place=place
        )
        await self._app.run(f"SELECT pg_advisory_lock({_GATE_KEY})")

    async def open(self) -> None:
        """Let everybody through."""
        await self._app.run(f"SELECT pg_advisory_unlock({_GATE_KEY})")

    async def waiting(self) -> list[int]:
        """The server processes that stand before it."""
        found = await self._app.rows(
            f"SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = {_GATE_KEY}"
            " AND NOT granted"
        )
        return [pid for (pid,) in found]

    async def somebody_waits(self) -> bool:
        """A batch stands before it."""
        return bool(await self.waiting())


def document(url: str, **config: object) -> dict[str, Any]:
    """A whole configuration; `config` is preferred to what makes tests quick."""
    whole = _merged(_merged({"database": {"url": url}}, _EAGER), config)
    return dict(whole)


def _merged(base: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in more.items():
        nested = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = _merged(result[key], value) if nested else value
    return result


def paced(
    max_batch: int = 10, lock_timeout: str | None = None, **healing: object
) -> dict[str, Any]:
    """Batches of at most so many rows, which wait so long for a lock."""
    database = {} if lock_timeout is None else {"lock_timeout": lock_timeout}
    return {"healing": {"pace": {"max_batch": max_batch}, **healing}, "database": database}


def make_settings(url: str, **config: object) -> Settings:
    """Settings by way of the real parser."""
    text = json.dumps(document(url, **config))
    return parse_config(text, {}, source="test", base_dir=None)


async def service_settings(url: str, **config: object) -> Settings:
    """The settings of a service on a database that its owner has prepared for it; with `watches`
    its role may see replicas, too."""
    watches = bool(config.pop("watches", False))
    settings = make_settings(url, **config)
    if make_url(url).username != OWNER:
        return settings
    await prepare_for_service(settings)
    return make_settings(as_service(url, watches=watches), **config)


@asynccontextmanager
async def make_runtime(url: str, **config: object) -> AsyncIterator[Runtime]:
    """Configuration, doctor and tools as the service makes them, for the least-privileged role
    once the owner has made the state schema; `watches`: it may see replicas, too. A URL with
    another user is taken as it is. `citus`: the statements are those for Citus."""
    citus = bool(config.pop("citus", False))
    settings = await service_settings(url, **config)
    engine = create_engine(settings.database.sqlalchemy_url, pool_size=settings.database.pool_size)
    try:
        examination = await inspect_catalogue(engine, settings)
        catalogue = require_catalogue(examination)
        forced = on_citus(catalogue) if citus else catalogue
        runtime = build(engine, settings, examination, forced)
        await ensure_schema(engine, runtime.state)
        yield runtime
    finally:
        await engine.dispose()


@asynccontextmanager
async def planted(
    url: str, *, users: int, artworks: int, untracked: int = 1, **config: object
) -> AsyncIterator[tuple[App, Runtime]]:
    """A gallery as `App.plant` fills it, and the tools for it as `make_runtime` makes them."""
    async with app_on(url) as app, make_runtime(url, **config) as runtime:
        await app.plant(users=users, artworks=artworks, untracked=untracked)
        yield app, runtime


async def plan(runtime: Runtime, *, max_rows: int = UNLIMITED) -> Run:
    """A run over the audience, whatever its share of the gallery."""
    planned = await runtime.planner.plan_audience(
        runtime.run_owner(Trigger.COMMAND),
        reason="a test",
        max_rows=max_rows,
        guard=lambda _census, _control: None,
    )
    assert planned.run is not None
    return planned.run


async def heal(
    runtime: Runtime,
    *,
    max_rows: int = UNLIMITED,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> RunResult:
    """A whole run over the audience."""
    return await runtime.executor(on_progress).work(await plan(runtime, max_rows=max_rows))


async def claimed(runtime: Runtime, run_id: int) -> Run:
    """A run, taken over by this process as soon as nobody holds it."""

    await wait_until(lambda: _is_claimable(runtime, run_id))
    async with transaction(runtime.engine, timeout=runtime.settings.lease) as connection:
        taken = await claim(
            connection,
            runtime.state,
            run_id,
            holder=runtime.holder,
            lease=runtime.settings.lease,
        )
    assert taken is not None
    return taken


async def _is_claimable(runtime: Runtime, run_id: int) -> bool:
    async with transaction(runtime.engine, timeout=runtime.settings.lease) as connection:
        run = await get_run(connection, runtime.state, run_id)
    return run is not None and run.claimable


def prepared_template(server: PostgresServer) -> str:
    """The database that clones with the app's tables come from whose owner has prepared them."""
    if server.socket_dir not in _with_template:
        create_database(server, PREPARED, APP)
        with ThreadPoolExecutor() as beside_the_loop:
            made = prepare_for_service(make_settings(server.url(PREPARED)))
            beside_the_loop.submit(asyncio.run, made).result()
        _with_template.add(server.socket_dir)
    return PREPARED


def drop_prepared_template(server: PostgresServer) -> None:
    """Before roles go that it has grants for; who asks for it next makes it anew."""
    if server.socket_dir in _with_template:
        execute(server, sql.SQL("DROP DATABASE {}").format(sql.Identifier(PREPARED)))
        _with_template.remove(server.socket_dir)


async def prepare_state(url: str) -> None:
    """The state schema, where no command is under test that makes it."""
    async with make_runtime(url):
        pass


async def prepared(url: str, **config: object) -> str:
    """The URL for the least-privileged role, once the owner has done its part: no runtime on it
    has that done again."""
    await prepare_for_service(make_settings(url, **config))
    return as_service(url)


async def heal_at(url: str) -> None:
    """A whole run, where no command is under test that heals."""
    async with make_runtime(url) as runtime:
        ended = await heal(runtime)
    assert ended.run.state is RunState.SUCCEEDED, ended.run.outcome


async def heal_until(runtime: Runtime, run: Run, *, batches: int) -> RunResult:
    """Work a run and put it down after so many batches."""

    def count(_: Progress) -> None:
        done.append(None)
        if len(done) == batches:
            executor.stop()

    done: list[None] = []
    executor = runtime.executor(count)
    return await executor.work(run)


def working(runtime: Runtime, run: Run) -> asyncio.Task[RunResult]:
    return asyncio.create_task(runtime.executor(lambda _: None).work(run))


@asynccontextmanager
async def at_the_gate(
    url: str, app: App, runtime: Runtime, *, after_batches: int
) -> AsyncIterator[tuple[Gate, asyncio.Task[RunResult]]]:
    """A run that stands inside its next batch after so many."""
    async with app_on(url) as keeper:
        run = await plan(runtime)
        gate = Gate(keeper)
        await gate.build(after_batches=after_batches)
        task = working(runtime, run)
        await wait_until(gate.somebody_waits)
        yield gate, task


async def waiting_for(app: App) -> str:
    return str(await app.value("SELECT waiting_for FROM conservator.run"))


async def waited(app: App, reason: str) -> tuple[float, float]:
    """Seconds in the run's record and in the totals."""
    record = await app.value(
        "SELECT coalesce(sum(seconds), 0) FROM conservator.run_wait WHERE reason = %(r)s", r=reason
    )
    total = await app.value(
        "SELECT coalesce(sum(value), 0) FROM conservator.counter"
        " WHERE name = 'heal_throttled_seconds' AND label = %(r)s",
        r=reason,
    )
    return float(record), float(total)


async def wait_until_waiting(app: App, words: str) -> None:
    async def says_so() -> bool:
        return words in await waiting_for(app)

    await wait_until(says_so)


async def wait_until_counted(app: App, reason: str, *, more_than: float = 0.0) -> None:
    async def has_grown() -> bool:
        return min(await waited(app, reason)) > more_than

    await wait_until(has_grown)
