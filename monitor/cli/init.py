"""`init` and `uninstall`: the state schema comes and goes."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.doctor.findings import Blocks
from checks.relations import Catalogue
from monitor.cli.output import console, number, print_json, size, table
from monitor.cli.session import runtime_for, state_of, with_engine
from monitor.config import Settings
from monitor.database import snapshot, transaction
from monitor.service.startup import ensure_schema
from monitor.state import schema
from monitor.state.runs import active_run


def init(
    context: typer.Context,
    print_sql: Annotated[
        bool,
        typer.Option(
            "--print-sql", help="Print what is missing of the schema, and the grants; run nothing."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Create or upgrade the service's own tables."""

    async def work(engine: AsyncEngine, settings: Settings) -> None:
        name = settings.database.state_schema
        runtime = await runtime_for(engine, settings, Blocks.COUNTING)
        if print_sql:
            sys.stdout.write(await _script(engine, settings, runtime.catalogue))
            return
        done = await ensure_schema(engine, runtime.state)
        if as_json:
            print_json({"schema": name, "revision": schema.CURRENT, "changed": done})
            return
        state = "is now" if done else "was already"
        console.print(f"The state schema {name} {state} at revision {schema.CURRENT}.")

    with_engine(context, work)


async def _script(engine: AsyncEngine, settings: Settings, catalogue: Catalogue) -> str:
    name = settings.database.state_schema
    async with snapshot(engine, timeout=settings.database.statement_timeout) as connection:
        found = await schema.version(connection, name)
        sequences = await schema.impression_sequences(connection, catalogue)
    script = schema.script(catalogue, name, found)
    return f"{script}\n{schema.grants(catalogue, name, sequences)}"


@dataclass(frozen=True, slots=True)
class TableSize:
    """One of our tables, by the planner's statistics."""

    name: str
    estimated_rows: int
    bytes: int


def uninstall(
    context: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Drop the service's own tables, after showing what goes with them.

    The impressions stay; without the ledger they can't be told from real ones any more.
    """

    async def work(engine: AsyncEngine, settings: Settings) -> int:
        name = settings.database.state_schema
        state = await state_of(engine, settings)
        async with snapshot(engine, timeout=settings.database.statement_timeout) as connection:
            run = await active_run(connection, state)
            rows = await state.run(connection, "uninstall_sizes", {"schema": name})
            sizes = [TableSize(row.name, max(0, row.estimated_rows), row.bytes) for row in rows]
        if as_json:
            print_json({"schema": name, "tables": sizes})
        else:
            shown = table("table", "rows (estimated)", "size", numbers=("rows (estimated)", "size"))
            for one in sizes:
                shown.add_row(one.name, number(one.estimated_rows), size(one.bytes))
            console.print(shown)
        if run is not None and run.leased:
            console.print(f"Run {run.id} is active: pause it or wait for its end first.")
            return 1
        question = (
            f"Drop the schema {name}? With backfilled_impression goes the only record of which"
            " impressions are synthetic; undo is impossible afterwards."
        )
        if not yes and not typer.confirm(question):
            console.print("Nothing was changed.")
            return 1
        async with transaction(engine, timeout=settings.database.statement_timeout) as connection:
            await state.run(connection, "uninstall")
        if not as_json:
            console.print(f"The schema {name} is gone.")
        return 0

    return with_engine(context, work)
