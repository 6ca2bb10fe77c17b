"""Commands that are imported when they are called or asked for help: Click's own pattern of a lazy
group. A service that runs for months has no use for what draws tables, and a short command none
for HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group


class LazyGroup(TyperGroup):
    """A group that knows of each command only where it is."""

    modules: ClassVar[Mapping[str, str]] = {}
    """Command -> the module with a function, or a Typer of subcommands, of that name."""

    def __init__(self, **options: Any) -> None:
        """`options` are Typer's."""
        super().__init__(**options)
        self.commands = {name: TyperCommand(name) for name in self.modules}  # for their names

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command itself; None where there is no such."""
        if cmd_name not in self.modules:
            return None
        found = getattr(import_module(self.modules[cmd_name]), cmd_name.replace("-", "_"))
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        if isinstance(found, typer.Typer):
            alone.add_typer(found, name=cmd_name)
        else:
            alone.command(cmd_name)(found)
        return get_group(alone).commands[cmd_name]
