"""`config check` and `config schema`."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from monitor.checking.expectations.check import require_known_expectations
from monitor.checking.expectations.worker import WorkerPool
from monitor.cli.output import console, print_json
from monitor.cli.session import config_path, settings_of
from monitor.config import Settings, describe, json_schema

app = typer.Typer(no_args_is_help=True, help="The configuration file.")


@app.command("check")
def check(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print the effective settings.")] = False,
) -> None:
    """Validate the configuration; all mistakes at once. Exit 78 when there are any."""
    settings = settings_of(context)
    asyncio.run(_examine_suites(settings))
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


@app.command("schema")
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    print_json(json_schema())
