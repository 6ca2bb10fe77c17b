"""The program: its options, its commands, and how it ends."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.errors import run
from monitor.cli.late import LateGroup
from monitor.cli.logs import configure_logs
from monitor.cli.session import DEFAULT_CONFIG, Globals

app = typer.Typer(
    name="conservator",
    cls=LateGroup,
    help="Finds artworks that an app will show again for ever because their impression is"
    " missing, and repairs them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


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
