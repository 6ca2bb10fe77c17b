"""What must be there before the loop can run: a catalogue without faults, a current schema."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.doctor.findings import Blocks, Examination
from checks.doctor.state_types import types_differ
from checks.errors import (
    CatalogueError,
    ConfigurationError,
    ConservatorError,
    DatabaseUnavailableError,
)
from monitor.config import Settings
from monitor.database import transaction
from monitor.database_errors import RETRYABLE_STATES, sqlstate
from monitor.deadlines import (
    FIRST_RETRY_SECONDS,
    LONGEST_RETRY_SECONDS,
    UPGRADE_ATTEMPTS,
    UPGRADE_TIMEOUT,
)
from monitor.run_tools import repair_faults
from monitor.runtime import Runtime, build, inspect_rows, require_catalogue
from monitor.state import schema
from monitor.state.statements import StateStatements

log = structlog.get_logger(__name__)


async def load_runtime(engine: AsyncEngine, settings: Settings, *, holder: str) -> Runtime:
    """The tools, with a state schema to work on. What blocks healing alone blocks no start: it is
    refused when it comes to that.

    Raises CatalogueError with everything that blocks counting, ConfigurationError with everything
    that is wrong with the repairs, DatabaseUnavailableError.
    """
    examination = await inspect_rows(engine, settings)
    if await _follow_types(engine, settings, examination):
        examination = await inspect_rows(engine, settings)
    catalogue = require_catalogue(examination, Blocks.COUNTING)
    runtime = build(engine, settings, examination, catalogue, holder=holder)
    await ensure_schema(engine, runtime.state, follow=False)
    faults = await repair_faults(runtime)
    if faults:
        raise ConfigurationError("\n".join(faults))
    return runtime


async def _follow_types(engine: AsyncEngine, settings: Settings, examination: Examination) -> bool:
    """Bring our columns along with the app's, where they differ and the role may; True when done.

    Where it can't be done the finding stays, which blocks healing and nothing else.
    """
    catalogue = examination.catalogue
    if catalogue is None or examination.blocking(Blocks.COUNTING) or not types_differ(examination):
        return False
    state = StateStatements(catalogue, settings.pools_spec(), settings.database.state_schema)
    try:
        return await ensure_schema(engine, state)
    except CatalogueError as error:
        log.warning("state_types_not_followed", error=str(error))
        return False


async def until_the_database_answers(
    attempt: Callable[[], Awaitable[None]], away: Callable[[DatabaseUnavailableError], None]
) -> None:
    """Try `attempt` again and again while the database is away; `away` is told each time."""
    delay = FIRST_RETRY_SECONDS
    while True:
        await asyncio.sleep(delay)
        delay = min(delay * 2, LONGEST_RETRY_SECONDS)
        try:
            return await attempt()
        except DatabaseUnavailableError as error:
            away(error)


async def ensure_schema(
    engine: AsyncEngine, state: StateStatements, *, follow: bool = True
) -> bool:
    """Create or upgrade the state schema where the role may; True when something was done.

    Without `follow`, types that differ from the app's alone are left as they are. Raises
    CatalogueError with what to run where it may not.
    """
    name = state.state_schema
    attempt = 0
    while True:
        attempt += 1
        try:
            async with transaction(engine, timeout=UPGRADE_TIMEOUT) as connection:
                if await schema.is_complete(connection, state.catalogue, name, follow=follow):
                    return False
                return await schema.upgrade(connection, state.catalogue, name)
        except (DatabaseUnavailableError, CatalogueError):
            raise
        except ConservatorError as error:
            # A process of an earlier version is at work: batches lock what an upgrade changes.
            if attempt < UPGRADE_ATTEMPTS and sqlstate(error) in RETRYABLE_STATES:
                await asyncio.sleep(FIRST_RETRY_SECONDS * attempt)
                continue
            raise CatalogueError(
                f"The state schema {name} is not there or not current, and could not be made so"
                f" ({error}). Where this role may not, let one that may run `conservator init`, or"
                " run the output of `conservator init --print-sql` as the owner."
            ) from error
