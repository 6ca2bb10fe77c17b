"""What most commands begin with: common options, the configuration, a session on its database."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks.doctor.findings import Blocks
from checks.errors import CatalogueError
from checks.row_security import RowGuard
from checks.spec import Cutoffs
from monitor.cli import signals
from monitor.config import Repair, Settings, load_config
from monitor.database import create_engine, database_now, snapshot, transaction
from monitor.runtime import Runtime, build, inspect_rows, require_catalogue
from monitor.state import schema
from monitor.state.statements import SchemaStatements

DEFAULT_CONFIG = Path("config.yaml")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask.")]

Result = TypeVar("Result")


def config_path(context: typer.Context) -> Path:
    """The file that `-c` names."""
    return context.find_object(Path) or DEFAULT_CONFIG


def settings_of(context: typer.Context) -> Settings:
    """The configuration, whole or refused."""
    return load_config(config_path(context), os.environ)


def find_repair(settings: Settings, name: str) -> Repair:
    """The configured repair of this name. Raises typer.BadParameter."""
    known = {one.name: one for one in settings.repairs}
    if name not in known:
        names = f"expected {', '.join(known)}" if known else "there is none in the configuration"
        raise typer.BadParameter(f"no repair is called {name}; {names}")
    return known[name]


@dataclass(frozen=True, slots=True)
class Session:
    """The configured primary, for the length of a command."""

    engine: AsyncEngine
    settings: Settings

    def snapshot(
        self, *, rows: RowGuard | None = None
    ) -> AbstractAsyncContextManager[AsyncConnection]:
        """A read-only transaction in which every statement sees the same rows.

        `rows`: where it reads the app's tables.
        """
        timeout = self.settings.database.statement_timeout
        return snapshot(self.engine, timeout=timeout, rows=rows)

    def transaction(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that writes."""
        return transaction(self.engine, timeout=self.settings.database.statement_timeout)

    async def runtime(self, what: Blocks = Blocks.COUNTING) -> Runtime:
        """The tools for the real tables; raises CatalogueError when findings block `what`."""
        examination = await inspect_rows(self.engine, self.settings)
        catalogue = require_catalogue(examination, what)
        return build(self.engine, self.settings, examination, catalogue)

    async def has_schema(self, connection: AsyncConnection) -> bool:
        """Whether the state schema is there and current."""
        return await schema.is_current(connection, self.settings.database.state_schema)

    async def state(self) -> SchemaStatements:
        """Statements over the state schema; raises CatalogueError unless it is there and current.

        Nothing of the app's tables is asked for: the kill switch works when they are broken.
        """
        name = self.settings.database.state_schema
        async with self.snapshot() as connection:
            found = await schema.version(connection, name)
        schema.require_known(found, name)
        if found != schema.CURRENT:
            raise CatalogueError(
                f"There is no current state schema {name}, so there is nothing to show or to"
                " switch: run `conservator init` first."
            )
        return SchemaStatements(name)

    async def cutoffs(self, connection: AsyncConnection) -> Cutoffs:
        """The moments that divide the pairs, by the database's clock."""
        return Cutoffs.at(await database_now(connection), self.settings.pools_spec())


def run_session(context: typer.Context, work: Callable[[Session], Awaitable[Result]]) -> Result:
    """Run `work` with a session on the configured database."""
    settings = settings_of(context)

    async def run() -> Result:
        database = settings.database
        engine = create_engine(database.sqlalchemy_url, pool_size=database.pool_size)
        try:
            return await work(Session(engine, settings))
        finally:
            await engine.dispose()

    return signals.run(run())


def run_on_state(
    context: typer.Context,
    work: Callable[[AsyncConnection, SchemaStatements], Awaitable[Result]],
    *,
    writes: bool = False,
) -> Result:
    """Run `work` on our own tables, in a snapshot, or a transaction where it `writes`.

    Raises CatalogueError where they are not there.
    """

    async def with_state(session: Session) -> Result:
        state = await session.state()
        async with session.transaction() if writes else session.snapshot() as connection:
            return await work(connection, state)

    return run_session(context, with_state)
