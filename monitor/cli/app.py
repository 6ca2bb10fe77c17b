"""The commands, registered."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli import (
    check,
    config,
    doctor,
    explain,
    heal,
    init,
    runs,
    serve,
    sql,
    switches,
)
from monitor.cli import demo as demo_command
from monitor.cli.errors import run
from monitor.cli.logs import configure_logs
from monitor.cli.session import DEFAULT_CONFIG, Globals

app = typer.Typer(
    name="conservator",
    help="Finds artworks that an app will show again for ever because their impression is"
    " missing, and repairs them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.command("demo")(demo_command.demo)
app.command("serve")(serve.serve)
app.command("check")(check.check)
app.command("heal")(heal.heal)
app.command("explain")(explain.explain)
app.command("runs")(runs.runs)
app.command("pause")(switches.pause)
app.command("resume")(switches.resume)
app.command("init")(init.init)
app.command("uninstall")(init.uninstall)
app.command("doctor")(doctor.doctor)
app.command("sql")(sql.sql)
app.add_typer(config.app, name="config")


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"conservator {metadata.version('conservator')}\n")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    config_file: Annotated[
        Path, typer.Option("-c", "--config", help="The configuration file.", metavar="FILE")
    ] = DEFAULT_CONFIG,
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """The options before the command."""
    context.obj = Globals(config=config_file)


def main() -> None:
    """The entry point: an exit code of the contract, and never a traceback."""
    configure_logs()
    sys.exit(run(lambda: app(standalone_mode=False)))
