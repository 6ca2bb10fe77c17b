"""What most commands begin with: configuration, engine, catalogue."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import typer
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.doctor.findings import Blocks
from checks.errors import CatalogueError
from monitor.config import Settings, load_config
from monitor.database import create_engine, snapshot
from monitor.runtime import Runtime, build, inspect_catalogue, require_catalogue
from monitor.state import schema
from monitor.state.statements import SchemaStatements

DEFAULT_CONFIG = Path("config.yaml")

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Globals:
    """The options before the command."""

    config: Path


def config_path(context: typer.Context) -> Path:
    """The file that `-c` names."""
    found = context.find_object(Globals)
    return DEFAULT_CONFIG if found is None else found.config


def settings_of(context: typer.Context) -> Settings:
    """The configuration, whole or refused."""
    return load_config(config_path(context), os.environ)


def with_engine(
    context: typer.Context, work: Callable[[AsyncEngine, Settings], Awaitable[Result]]
) -> Result:
    """Run `work` with an engine on the primary."""
    settings = settings_of(context)

    async def run() -> Result:
        engine = create_engine(
            settings.database.sqlalchemy_url, pool_size=settings.database.pool_size
        )
        try:
            return await work(engine, settings)
        finally:
            await engine.dispose()

    return asyncio.run(run())


async def runtime_for(engine: AsyncEngine, settings: Settings, *blocks: Blocks) -> Runtime:
    """The tools for the real tables; raises CatalogueError when findings block `blocks`."""
    examination = await inspect_catalogue(engine, settings)
    catalogue = require_catalogue(examination, *blocks)
    return build(engine, settings, examination, catalogue)


async def require_schema(engine: AsyncEngine, settings: Settings) -> None:
    """Raise CatalogueError unless the state schema is there and current."""
    name = settings.database.state_schema
    async with snapshot(engine, timeout=settings.database.statement_timeout) as connection:
        if not await schema.is_current(connection, name):
            raise CatalogueError(
                f"There is no current state schema {name}, so there is nothing to show or to"
                " switch: run `conservator init` first."
            )


async def state_of(engine: AsyncEngine, settings: Settings) -> SchemaStatements:
    """Statements over the state schema, once it is known to be there.

    Nothing of the app's tables is asked for: the kill switch works when they are broken.
    """
    await require_schema(engine, settings)
    return SchemaStatements(settings.database.state_schema)
