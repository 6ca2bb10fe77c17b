"""Whether the tables have changed: PostgreSQL's own counters, and whether they are complete.

The counters (`pg_stat_user_tables`) are not transactional. A session reports what it has changed
when its transaction ends, but not twice within a second; what it held back then follows after ten
seconds of idleness, or when it leaves. So a reading proves something only where every session has
been idle for longer: then all that any snapshot taken before can see is in it. That holds since
PostgreSQL 15; earlier ones lose reports.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import sql
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.relations import Catalogue
from checks.statements import render

SETTLED_AFTER_SECONDS = 15.0
"""How long a session must have been idle. PostgreSQL's own limit is 10 s (PGSTAT_IDLE_INTERVAL)."""
COMPLETE_SINCE = 150000
"""server_version_num from which on idle sessions report, and no report is lost."""


@dataclass(frozen=True, slots=True)
class TableMarks:
    """One table's counters. They only grow, and count what was rolled back too."""

    filenode: int
    """Another one after TRUNCATE, which no counter shows."""
    inserted: int
    updated: int
    deleted: int


@dataclass(frozen=True, slots=True)
class Marks:
    """What the server said about changes at one moment. Equal marks, both complete: no change."""

    server: tuple[datetime | None, ...]
    """When it was started, when it lost its counters in a crash, when somebody reset them."""
    artworks: TableMarks
    users: TableMarks
    impressions: TableMarks


@dataclass(frozen=True, slots=True)
class Reading:
    """Marks, and why they prove nothing."""

    marks: Marks
    incomplete: str
    """A sentence; empty where everything that this transaction's snapshot sees is counted."""
    now: datetime
    """The database's clock when the transaction began."""


async def read_marks(
    connection: AsyncConnection,
    catalogue: Catalogue,
    *,
    spared: str | None,
    settled_after: float = SETTLED_AFTER_SECONDS,
) -> Reading:
    """The marks, for the snapshot that `connection` already has: to be read after it was taken.

    Sessions whose application_name is `spared` are known to have left the tables alone. Others
    must have been idle for `settled_after` seconds.
    """
    relations = (catalogue.artworks, catalogue.users, catalogue.impressions)
    result = await connection.exec_driver_sql(
        render("checks", "change_marks", {}),
        {
            "oids": [relation.oid for relation in relations],
            "names": [sql.Identifier(one.schema, one.name).as_string(None) for one in relations],
            "settled_after": settled_after,
            "spared": spared,
        },
    )
    rows = {row.oid: row for row in result}
    artworks, users, impressions = (rows[relation.oid] for relation in relations)
    marks = Marks(
        (impressions.started_at, impressions.crashed_at, impressions.reset_at),
        *(
            TableMarks(row.filenode, row.inserted, row.updated, row.deleted)
            for row in (artworks, users, impressions)
        ),
    )
    incomplete = _incomplete(impressions, plain=all(row.plain for row in rows.values()))
    if not all(row.named for row in rows.values()):
        incomplete = "A table is not the one that the catalogue was read from."
    if not incomplete and not await _is_direct(connection, impressions.pid):
        incomplete = "Through a connection pooler, our own session may owe a report of the app's."
    return Reading(marks, incomplete, impressions.now)


async def _is_direct(connection: AsyncConnection, pid: int) -> bool:
    # A pooler announces a process id of its own, for cancelling.
    raw = await connection.get_raw_connection()
    driver = raw.driver_connection
    return driver is not None and driver.info.backend_pid == pid


def _incomplete(row: Row[Any], *, plain: bool) -> str:
    if row.server_version < COMPLETE_SINCE:
        return "PostgreSQL's counters of changes may miss some before version 15."
    if not plain or row.spread:
        return "The counters of a table that is made of several are kept elsewhere."
    if not row.counts:
        return "track_counts is off."
    if row.hidden:
        return (
            f"This role does not see what {row.hidden} sessions do: GRANT pg_read_all_stats to it."
        )
    if row.restless:
        return (
            f"{row.restless} sessions were busy just now, and may not have reported their changes"
            " yet."
        )
    return ""
