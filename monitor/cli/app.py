"""The program: its options, its commands, and how it ends."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli import config
from monitor.cli.check import check
from monitor.cli.demo import demo
from monitor.cli.docs import docs
from monitor.cli.doctor import doctor
from monitor.cli.errors import run
from monitor.cli.explain import explain
from monitor.cli.heal import heal
from monitor.cli.init import init, uninstall
from monitor.cli.logs import configure_logs
from monitor.cli.runs import runs
from monitor.cli.serve import serve
from monitor.cli.session import DEFAULT_CONFIG, Globals
from monitor.cli.sql import sql
from monitor.cli.switches import pause, reset_breaker, resume
from monitor.cli.undo import undo

COMMANDS = (
    *(demo, serve, check, heal, undo, explain, runs, pause, resume, reset_breaker),
    *(init, uninstall, doctor, docs, sql),
)
"""As `--help` lists them."""

app = typer.Typer(
    name="conservator",
    help="Finds artworks that an app will show again for ever because their impression is"
    " missing, and repairs them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in COMMANDS:
    app.command()(command)
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
