"""`pause` and `resume`: the kill switch."""

from __future__ import annotations

from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncEngine

from monitor.cli.output import console, print_json
from monitor.cli.session import state_of, with_engine
from monitor.config import Settings
from monitor.database import transaction
from monitor.state import control


def pause(
    context: typer.Context,
    reason: Annotated[str, typer.Option(help="Why; shown wherever healing is asked for.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Stop everything that writes, in every process, before its next batch."""

    async def work(engine: AsyncEngine, settings: Settings) -> None:
        state = await state_of(engine, settings)
        async with transaction(engine, timeout=settings.database.statement_timeout) as connection:
            await control.pause(connection, state, reason)

    with_engine(context, work)
    if as_json:
        print_json({"paused": True, "reason": reason})
    else:
        console.print("Paused: nothing writes from here on. `conservator resume` ends it.")


def resume(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """End a pause and a suspension."""

    async def work(engine: AsyncEngine, settings: Settings) -> None:
        state = await state_of(engine, settings)
        async with transaction(engine, timeout=settings.database.statement_timeout) as connection:
            await control.resume(connection, state)

    with_engine(context, work)
    if as_json:
        print_json({"paused": False, "suspended": False})
    else:
        console.print("Resumed: healing may write again.")
