"""Before the service starts: `config`, `doctor`, and the state schema by `init`, `uninstall`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from itertools import groupby
from textwrap import indent
from typing import Annotated

import typer
from rich.padding import Padding
from rich.text import Text

from checks.citus.cluster import LEDGER, spread_ledger_size
from checks.doctor.findings import Blocks, Examination, in_yaml
from checks.relations import Catalogue
from monitor.checking.expectations.check import require_known_expectations
from monitor.checking.expectations.worker import WorkerPool
from monitor.cli import signals
from monitor.cli.output import (
    console,
    number,
    print_json,
    print_result,
    print_table,
    print_text,
    record_fields,
    size,
)
from monitor.cli.session import AsJson, Session, Yes, config_path, run_session, settings_of
from monitor.cli.signals import confirmed
from monitor.config import Settings, describe, json_schema
from monitor.discovery.proposals import proposed_settings
from monitor.run_tools import grants_of_repairs, repair_faults
from monitor.runtime import build, census_form_sentence, inspect_catalogue, require_catalogue
from monitor.service.startup import ensure_schema
from monitor.state import schema
from monitor.state.following import missing_changes, require_findable
from monitor.state.runs import active_run

_HEADINGS = {
    Blocks.COUNTING: ("Blocks counting", "bold red"),
    Blocks.HEALING: ("Blocks healing", "red"),
    Blocks.NOTHING: ("Would help", "cyan"),
}

config = typer.Typer(no_args_is_help=True, help="The configuration file.")


@config.command("check")
def check_config(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print the effective settings.")] = False,
) -> None:
    """Validate the configuration; all mistakes at once. Exit 78 when there are any.

    Example: conservator -c other.yaml config check
    """
    settings = settings_of(context)
    signals.run(_examine_suites(settings))
    if as_json:
        print_json(describe(settings))
    else:
        console.print(f"{config_path(context)} is valid.", soft_wrap=True)


async def _examine_suites(settings: Settings) -> None:
    worker = WorkerPool()
    try:
        await require_known_expectations(settings, worker)
    finally:
        await worker.close()


@config.command("schema")
def print_schema() -> None:
    """Print the JSON Schema of the configuration, for editors.

    Example: conservator config schema
    """
    print_json(json_schema())


def doctor(context: typer.Context, as_json: AsJson = False) -> int:
    """Read the catalogue; say what blocks counting, healing or repairs, what would help, and how.

    Exit 1 when something would make a count wrong, or a backfill or a repair fail, else 0.

    Example: conservator doctor
    """

    async def work(session: Session) -> int:
        examination = await inspect_catalogue(session.engine, session.settings)
        faults = await _faults_of_repairs(session, examination)

        def show() -> None:
            _print_faults(faults)
            _print_findings(examination, session.settings)

        print_result(
            {
                "findings": [
                    {**record_fields(one), "remedy": one.mending} for one in examination.findings
                ],
                "repairs": faults,
                "settings": proposed_settings(examination, session.settings),
            },
            show,
            as_json=as_json,
        )
        return 1 if examination.blocking() or faults else 0

    return run_session(context, work)


async def _faults_of_repairs(session: Session, examination: Examination) -> tuple[str, ...]:
    """What `serve` would refuse of the configured repairs; nothing where the tables themselves are
    not as configured."""
    if not session.settings.repairs or examination.catalogue is None:
        return ()
    catalogue = examination.catalogue
    return await repair_faults(build(session.engine, session.settings, examination, catalogue))


def _print_faults(faults: tuple[str, ...]) -> None:
    if faults:
        console.print(Text("Blocks `serve`, and the repair:", style="bold red"))
    for fault in faults:
        print_text(f"  {fault}")


def _print_findings(examination: Examination, settings: Settings) -> None:
    for blocks, found in groupby(examination.findings, lambda one: one.blocks):
        heading, style = _HEADINGS[blocks]
        console.print(Text(f"{heading}:", style=style))
        for finding in found:
            console.print(Text(f"  {finding.subject}", style="bold"), soft_wrap=True)
            console.print(Padding(Text(f"{finding.problem} {finding.consequence}"), (0, 0, 0, 4)))
            # Not padded: that cuts what is longer than a line, and a statement is to be pasted.
            mending = Text(indent(finding.mending, " " * 4), style="green")
            console.print(mending, soft_wrap=True)
    if not examination.findings:
        console.print("The tables are as they should be.")
    proposed = proposed_settings(examination, settings)
    if proposed:
        console.print("To paste into config.yaml, instead of what stands there under these names:")
        console.print(Text(in_yaml(proposed), style="green"), soft_wrap=True)
    if examination.catalogue is not None:
        console.print(f"Census: {census_form_sentence(examination.catalogue, settings)}.")


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
    """Create or upgrade the service's own tables.

    Example: conservator init --print-sql
    """

    async def work(session: Session) -> None:
        name = session.settings.database.state_schema
        if print_sql:
            # Whatever stands in the way of counting: the owner, too, may be hidden rows.
            found = await inspect_catalogue(session.engine, session.settings)
            catalogue = found.catalogue or require_catalogue(found, Blocks.COUNTING)
            sys.stdout.write(await _script(session, catalogue))
            return
        runtime = await session.runtime()
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
        schema.require_known(found, name)
        changes = await missing_changes(connection, catalogue, name)
        if changes and found == schema.CURRENT:
            await require_findable(connection, catalogue, name)
        sequences = await schema.impression_sequences(connection, catalogue)
        row_security = await schema.service_row_security(connection, catalogue)
    repairs = await grants_of_repairs(session.engine, session.settings)
    script = schema.script(catalogue, name, found, changes)
    return f"{script}\n{schema.grants(catalogue, name, sequences, row_security, repairs)}"


@dataclass(frozen=True, slots=True)
class TableSize:
    """One of our tables, by the planner's statistics."""

    name: str
    estimated_rows: int
    bytes: int


def uninstall(context: typer.Context, yes: Yes = False, as_json: AsJson = False) -> int:
    """Drop the service's own tables, after showing what goes with them.

    The impressions stay; without the ledger they can't be told from real ones any more.

    Example: conservator uninstall
    """

    async def work(session: Session) -> int:
        name = session.settings.database.state_schema
        state = await session.state()
        async with session.snapshot() as connection:
            run = await active_run(connection, state)
            rows = await state.run(connection, "uninstall_sizes", {"schema": name})
            sizes = [TableSize(row.name, max(0, row.estimated_rows), row.bytes) for row in rows]
            spread = await spread_ledger_size(connection, name)
            if spread is not None:
                listed = (await state.run(connection, "ledger_rows")).scalar_one()
                sizes = [
                    TableSize(LEDGER, listed, spread) if one.name == LEDGER else one
                    for one in sizes
                ]
        print_result(
            {"schema": name, "tables": sizes}, lambda: _print_sizes(sizes), as_json=as_json
        )
        if run is not None and run.leased:
            console.print(f"Run {run.id} is active: pause it or wait for its end first.")
            return 1
        question = (
            f"Drop the schema {name}? With backfilled_impression goes the only record of which"
            " impressions are synthetic; undo is impossible afterwards."
        )
        if not yes and not confirmed(question):
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
