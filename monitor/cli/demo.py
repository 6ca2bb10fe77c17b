"""`demo`: a real PostgreSQL, a gallery with the incident in it, visitors, the service on top."""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Annotated

import psycopg
import typer
from rich.live import Live
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.errors import ConservatorError
from monitor.cli.logs import configure_logs
from monitor.cli.output import console
from monitor.cli.signals import run_service, unless_told
from monitor.database import create_engine
from monitor.demo.gallery import Visitors, build_gallery, create_tables, statement
from monitor.demo.server import DemoServer, demo_server
from monitor.demo.settings import demo_settings
from monitor.demo.view import Story, draw
from monitor.service.service import Service
from monitor.state.counters import REPAIR_ROWS, read_counters
from monitor.status import Status

DATABASE = "gallery"
LOOK_SECONDS = 0.25
"""How often the view looks at the snapshot."""
AGEING = {"first_seconds": 25, "every_seconds": 15}
"""When the first artwork turns seven days old, and the next ones."""
AGEING_FOR_SECONDS = 3600
MISSPELT = 9
"""Users in whom there is something to repair."""
QUIET_END_SECONDS = 20
"""With a duration, no artwork ages in its last seconds, so that the end finds everything healed."""


def demo(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free port.")] = 9855,
    keep: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep the database in this directory, or go on with it."),
    ] = None,
    duration: Annotated[
        float | None, typer.Option(min=1, metavar="SECONDS", help="End after so many seconds.")
    ] = None,
) -> None:
    """Show the whole service at work on a sample gallery. Needs nothing, leaves nothing.

    Example: conservator demo --duration 60
    """
    configure_logs(logging.ERROR)
    run_service(partial(_demo, port, keep, duration))


async def _demo(port: int, keep: Path | None, duration: float | None, stop: asyncio.Event) -> None:
    ends_at = math.inf if duration is None else time.monotonic() + duration
    console.print("Starting PostgreSQL …")
    async with AsyncExitStack() as stack:
        postgres = ExitStack()
        server = await asyncio.to_thread(postgres.enter_context, demo_server(keep))
        stack.push_async_callback(asyncio.to_thread, postgres.close)
        await unless_told(stop, _prepare(server, duration))
        if not stop.is_set():
            await _show(stack, server, port, stop, ends_at)
        console.print("Stopping …")
    console.print("Nothing is left behind." if keep is None else f"The database is in {keep}.")


async def _show(
    stack: AsyncExitStack, server: DemoServer, port: int, stop: asyncio.Event, ends_at: float
) -> None:
    """The service and the visitors, until a signal or the end of the time."""
    token = secrets.token_urlsafe(18)
    # Loaded when there is something to serve: no other command needs HTTP.
    from monitor.cli.serving import served  # noqa: PLC0415

    settings = demo_settings(server.url(DATABASE), port=port, token=token)
    serving = await unless_told(stop, stack.enter_async_context(served(settings)))
    if serving is None:
        return
    service = serving.service
    address = "http://{}:{}/".format(*serving.runner.addresses[0][:2])
    _say_hello(address, token, server)
    visitors = Visitors(server.url(DATABASE), rate=10)
    visitors.start()
    stack.push_async_callback(visitors.stop)
    story = Story()
    await _watch(service, visitors, story, stop, address, ends_at)
    story.look(service.board.current)
    await _say_goodbye(service, story, visitors, told_to_stop=stop.is_set())


async def _prepare(server: DemoServer, duration: float | None) -> None:
    """The database with its gallery, unless a kept one has it already."""
    async with await psycopg.AsyncConnection.connect(
        server.conninfo(), autocommit=True, client_encoding="utf8"
    ) as admin:
        found = await admin.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE])
        if found.rowcount == 0:
            await admin.execute(f"CREATE DATABASE {DATABASE}")
    engine = create_engine(server.url(DATABASE), pool_size=1)
    try:
        await _fill(engine, duration)
    finally:
        await engine.dispose()


async def _fill(engine: AsyncEngine, duration: float | None) -> None:
    async with engine.begin() as connection:
        there = await connection.execute(text("SELECT to_regclass('user_art_impressions')"))
        if there.scalar_one() is None:
            console.print("Making a gallery of 300 users and 600 artworks …")
            await create_tables(connection)
            await build_gallery(connection)
            await connection.execute(text(statement("misspelt_tiers")), {"users": MISSPELT})
        lasts = AGEING_FOR_SECONDS if duration is None else duration - QUIET_END_SECONDS
        ageing = max(0, int((lasts - AGEING["first_seconds"]) // AGEING["every_seconds"]) + 1)
        await connection.execute(text(statement("ageing_artworks")), {**AGEING, "artworks": ageing})


def _say_hello(address: str, token: str, server: DemoServer) -> None:
    console.print(f"status page  {address}", soft_wrap=True)
    console.print(f"metrics      {address}metrics", soft_wrap=True)
    console.print(f"stats        {address}api/artworks/stats", soft_wrap=True)
    console.print(f"admin token  {token}", soft_wrap=True)
    look = f"conservator discover --url '{server.url(DATABASE)}'"
    console.print(f"discover     {look}", soft_wrap=True, markup=False)
    console.print(f"psql         psql '{server.conninfo(DATABASE)}'", soft_wrap=True, markup=False)


async def _watch(
    service: Service,
    visitors: Visitors,
    story: Story,
    stop: asyncio.Event,
    address: str,
    ends_at: float,
) -> None:
    """Show what happens until a signal, the monotonic `ends_at`, or a failure, which is raised."""
    live = Live(console=console, refresh_per_second=4) if console.is_terminal else None
    with live or nullcontext():
        while not stop.is_set() and time.monotonic() < ends_at:
            for task in (service.failed, visitors.task):
                if task is not None and task.done():
                    task.result()
            status = service.board.current
            new = story.look(status)
            if live is not None:
                seen = f"{visitors.views:,} artworks shown to visitors since the start"
                live.update(draw(status, story, address=address, visitors=seen))
            else:
                _print_events(new, status)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), timeout=LOOK_SECONDS)


def _print_events(new: Sequence[str], status: Status) -> None:
    legacy = "–" if status.census is None else f"{status.census.legacy_untracked:,}"
    for sentence in new:
        console.print(
            f"{time.strftime('%H:%M:%S')}  legacy {legacy:>7}  {sentence}", soft_wrap=True
        )


async def _say_goodbye(
    service: Service, story: Story, visitors: Visitors, *, told_to_stop: bool
) -> None:
    first, last = story.first, service.board.current.census
    if first is None or last is None:
        if told_to_stop:
            return
        raise ConservatorError("The demo ended before its first census; let it run longer.")
    # Not the board's, which may be a moment older than its census: the last batch would be missing.
    async with service.runtime.transaction() as connection:
        totals = await read_counters(connection, service.runtime.state)
    written = totals.get(("heal_impressions", ""), 0.0)
    mended = sum(number for (name, _), number in totals.items() if name == REPAIR_ROWS)
    console.print(
        f"legacy_untracked: {first.legacy_untracked:,} at first, {last.legacy_untracked:,} now;"
        f" {written:,.0f} impressions backfilled, {mended:,.0f} rows repaired,"
        f" {visitors.views:,} artworks shown meanwhile."
    )
