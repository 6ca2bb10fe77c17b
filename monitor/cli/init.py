"""`init` and `uninstall`: the state schema comes and goes."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Annotated

import typer

from checks.doctor.findings import Blocks
from checks.relations import Catalogue
from monitor.cli.output import console, number, print_json, print_result, print_table, size
from monitor.cli.session import AsJson, Session, Yes, run_session
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
    as_json: AsJson = False,
) -> None:
    """Create or upgrade the service's own tables."""

    async def work(session: Session) -> None:
        name = session.settings.database.state_schema
        runtime = await session.runtime(Blocks.COUNTING)
        if print_sql:
            sys.stdout.write(await _script(session, runtime.catalogue))
            return
        done = await ensure_schema(session.engine, runtime.state)
        print_result(
            {"schema": name, "revision": schema.CURRENT, "changed": done},
            f"The state schema {name} {'is now' if done else 'was already'} at revision"
            f" {schema.CURRENT}.",
            as_json=as_json,
        )

    run_session(context, work)


async def _script(session: Session, catalogue: Catalogue) -> str:
    name = session.settings.database.state_schema
    async with session.snapshot() as connection:
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


def uninstall(context: typer.Context, yes: Yes = False, as_json: AsJson = False) -> int:
    """Drop the service's own tables, after showing what goes with them.

    The impressions stay; without the ledger they can't be told from real ones any more.
    """

    async def work(session: Session) -> int:
        name = session.settings.database.state_schema
        state = await session.state()
        async with session.snapshot() as connection:
            run = await active_run(connection, state)
            rows = await state.run(connection, "uninstall_sizes", {"schema": name})
            sizes = [TableSize(row.name, max(0, row.estimated_rows), row.bytes) for row in rows]
        if as_json:
            print_json({"schema": name, "tables": sizes})
        else:
            _print_sizes(sizes)
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
        async with session.transaction() as connection:
            await state.run(connection, "uninstall")
        if not as_json:
            console.print(f"The schema {name} is gone.")
        return 0

    return run_session(context, work)


def _print_sizes(sizes: list[TableSize]) -> None:
    print_table(
        sizes,
        {
            "table": lambda one: one.name,
            "rows (estimated)": lambda one: number(one.estimated_rows),
            "size": lambda one: size(one.bytes),
        },
        numbers=("rows (estimated)", "size"),
    )
