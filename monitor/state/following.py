"""Brings our own columns along when the application's ids or moments have changed their type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from psycopg import sql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.citus.cluster import LEDGER, read_ledger
from checks.errors import CatalogueError
from checks.relations import Catalogue
from checks.state_columns import (
    CURSORS,
    Difference,
    differences,
    keeps_values,
    read_state_columns,
)
from checks.statements import raw
from monitor.database import set_local
from monitor.database_errors import sqlstate, translate
from monitor.deadlines import REWRITE_LOCK_TIMEOUT, REWRITE_TIMEOUT
from monitor.state.elsewhere import impressions_elsewhere, lists_any

_MOMENT, _NUMBER = "D", "N"
"""pg_type.typcategory."""
_WITH_ZONE = "with time zone"
"""How the names of such types end, whatever their precision."""
_OF_VALUES = frozenset({"22", "23", "42", "0A", "54"})
"""SQLSTATE classes of what no second attempt makes better: values that don't convert, types without
a cast, keys that are no longer unique, a view in the way, an id too long for its key."""
_NO_PRIVILEGE = "42501"


async def missing_changes(
    connection: AsyncConnection, catalogue: Catalogue, state_schema: str
) -> tuple[str, ...]:
    """The statements that bring our columns to the types of the app's; none where they have them.

    A ledger that Citus has spread is gathered first: it changes no column by which it spreads one.
    """
    differing = differences(catalogue, await read_state_columns(connection, state_schema))
    changes = tuple(_alterations(differing, catalogue, state_schema))
    if catalogue.cluster is None or not any(one.ours.table == LEDGER for one in differing):
        return changes
    if (await read_ledger(connection, state_schema)).distribution is None:
        return changes
    return (gathering_statement(state_schema), *changes)


async def follow_types(
    connection: AsyncConnection, catalogue: Catalogue, state_schema: str
) -> bool:
    """Change what is to be changed, in the caller's transaction; True when something was.

    Raises CatalogueError where a value does not convert, or would not be found again.
    """
    changes = await missing_changes(connection, catalogue, state_schema)
    if changes:
        await require_findable(connection, catalogue, state_schema)
        await set_local(
            connection,
            statement_timeout=f"{REWRITE_TIMEOUT.total_seconds():.0f}s",
            lock_timeout=f"{REWRITE_LOCK_TIMEOUT.total_seconds():.0f}s",
        )
    for change in changes:
        try:
            await connection.exec_driver_sql(change.replace("%", "%%"))
        except DBAPIError as error:
            state = sqlstate(error) or ""
            if state[:2] not in _OF_VALUES or state == _NO_PRIVILEGE:
                raise
            raise CatalogueError(_refusal(state_schema, error)) from error
    return bool(changes)


async def require_findable(
    connection: AsyncConnection, catalogue: Catalogue, state_schema: str
) -> None:
    """Raises CatalogueError where the ledger lists rows of another table than the present one, and
    following the present one's types would change what it says of them."""
    differing = differences(catalogue, await read_state_columns(connection, state_schema))
    if all(one.ours.table != LEDGER or keeps_values(one) for one in differing):
        return
    elsewhere = await impressions_elsewhere(connection, catalogue, state_schema)
    if elsewhere and await lists_any(connection, state_schema, elsewhere):
        raise CatalogueError(
            "The service's own tables can't follow the types of the application's: the ledger still"
            " lists impressions of a table that was configured before, which could not be found"
            " again. Take those runs back (`conservator runs`), or name another"
            f" database.state_schema, and {state_schema} stays as a record."
        )


def gathering_statement(state_schema: str) -> str:
    """The statement that takes a spread ledger back to the coordinator."""
    return f"SELECT undistribute_table({ledger_name(state_schema).as_string(None)})"


def ledger_name(state_schema: str) -> sql.Literal:
    """The ledger, as functions of Citus are told of it."""
    return sql.Literal(sql.Identifier(state_schema, LEDGER).as_string(None))


def _alterations(
    differing: Iterable[Difference], catalogue: Catalogue, state_schema: str
) -> Iterator[str]:
    """One statement a table, which rewrites it once. `run` comes first: a batch locks its row
    before anything else, so that none is under way while the others change."""
    for table, changed in groupby(differing, lambda one: one.ours.table):
        columns = [
            sql.SQL("ALTER COLUMN {} TYPE {} USING {}").format(
                sql.Identifier(one.ours.name), raw(one.original.storage), _converted(one, catalogue)
            )
            for one in changed
        ]
        altered = sql.SQL("ALTER TABLE {} {}").format(
            sql.Identifier(state_schema, table), sql.SQL(", ").join(columns)
        )
        yield altered.as_string(None)


def _converted(one: Difference, catalogue: Catalogue) -> sql.Composable:
    """The column's value in the new type.

    As text it becomes anything; but a number may be rounded, as the app's own was; and a moment is
    read in `catalog.timezone`, as everywhere. A cursor starts anew, and so loses no place.
    """
    ours, original = one.ours, one.original
    column, cast = sql.Identifier(ours.name), raw(original.cast)
    zone = sql.Literal(catalogue.spec.timezone)
    if ours.key in CURSORS:
        return sql.SQL("NULL::{}").format(cast)
    if ours.category == original.category == _MOMENT:
        had_zone = ours.type.endswith(_WITH_ZONE)
        if had_zone and not original.has_time_zone:
            return sql.SQL("({} AT TIME ZONE {})::{}").format(column, zone, cast)
        if original.has_time_zone and not had_zone:
            return sql.SQL("{}::timestamp AT TIME ZONE {}").format(column, zone)
        return sql.SQL("{}::{}").format(column, cast)
    through = "{}::{}" if ours.category == original.category == _NUMBER else "{}::text::{}"
    return raw(through).format(column, cast)


def _refusal(state_schema: str, error: DBAPIError) -> str:
    return (
        f"The service's own tables can't follow the types of the application's: {translate(error)}"
        f" Nothing was changed. Where the application has given its rows other ids, no old run can"
        f" be taken back: name another database.state_schema, and {state_schema} stays as a record."
    )
