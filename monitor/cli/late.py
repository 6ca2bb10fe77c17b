"""Commands that are loaded when they are called, or listed: a service that runs for months has no
use for what draws tables.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

COMMANDS = {
    "demo": "demo",
    "serve": "serve",
    "check": "check",
    "heal": "heal",
    "undo": "undo",
    "explain": "explain",
    "runs": "runs",
    "pause": "switches",
    "resume": "switches",
    "reset-breaker": "reset_breaker",
    "init": "init",
    "uninstall": "init",
    "doctor": "doctor",
    "docs": "docs",
    "sql": "sql",
    "config": "config",
}
"""Command -> its module in this package, as `--help` lists them."""
GROUP = "app"
"""What a module of several commands below one name calls them."""


class LateGroup(TyperGroup):
    """All COMMANDS."""

    def __init__(self, **options: Any) -> None:
        """`options` are Typer's."""
        super().__init__(**options)
        self.commands = {name: TyperCommand(name) for name in COMMANDS}  # for their names

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command itself; None where there is no such."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"monitor.cli.{COMMANDS[cmd_name]}")
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        if hasattr(module, GROUP):
            alone.add_typer(getattr(module, GROUP), name=cmd_name)
        else:
            alone.command(cmd_name)(getattr(module, cmd_name.replace("-", "_")))
        return get_group(alone).commands[cmd_name]
