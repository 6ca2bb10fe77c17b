"""The sequences that new impressions draw from, and what each of them has left.

A sequence that runs out fails the application's own inserts, and nobody can put back what was drawn
from it, not even an undo.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import sql
from sqlalchemy import CursorResult, Row
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.fragments import table
from checks.made_rows import NO_MOMENT, is_of_pair, no_pair, value_of
from checks.relations import Catalogue, Engine, Relation
from checks.spec import CatalogueSpec
from checks.statements import Fragments, identifier, render

PACKAGE = "checks"
MOST_OF_IT = 2
"""A plan that draws more than this part (a half) of what is left is refused."""

_DRAWN = re.compile(r"nextval\(\(?'((?:[^']|'')+)'::(?:regclass|text)\b")
"""As PostgreSQL itself writes a call out in a plan, its constants resolved."""
_LAST = {"smallint": 2**15 - 1, "integer": 2**31 - 1, "bigint": 2**63 - 1}
_ENDLESS = 2**63


@dataclass(frozen=True, slots=True)
class DrawnSequence:
    """A sequence that every new impression advances."""

    column: str
    """Of the impressions."""
    type: str
    """The column's, as declared."""
    schema: str
    name: str
    identity: bool
    """Behind an identity column: advancing it needs no privilege, reading it does."""
    draws: int
    """Values that one row takes."""
    may_advance: bool
    reached: int | None
    """The last value drawn; None where that can't be told."""
    increment: int
    last: int
    """The last value that fits the sequence and the column."""
    size: int
    """All the values that it can give."""
    cycles: bool
    """It begins anew, and nothing keeps values from coming twice."""

    @property
    def left(self) -> int | None:
        """Values that it still gives before inserts fail; None where that can't be told."""
        if self.cycles:
            return _ENDLESS
        if self.reached is None:
            return None
        return max(0, (self.last - self.reached) // self.increment)

    @property
    def quoted(self) -> str:
        """Its name for a statement."""
        return sql.Identifier(self.schema, self.name).as_string(None)


async def named_sequences(
    connection: AsyncConnection, catalogue: Catalogue
) -> tuple[tuple[str, str], ...]:
    """The sequences that the expressions for new rows name: by column, as PostgreSQL finds and
    writes them. A name that only a function's body holds is not seen.

    The expressions are explained, not run. One that PostgreSQL refuses names none.
    """
    found: list[tuple[str, str]] = []
    for column, expression in catalogue.spec.impressions.values.items():
        # A constant draws nothing and costs no question; and Citus writes no value of a pair's.
        unwritten = catalogue.engine is Engine.CITUS and is_of_pair(expression)
        if "(" in expression and column in catalogue.impressions.columns and not unwritten:
            plan = await _explained(connection, catalogue, column, expression)
            found += [(column, name.replace("''", "'")) for name in _DRAWN.findall(plan)]
    return tuple(found)


async def _explained(
    connection: AsyncConnection, catalogue: Catalogue, column: str, expression: str
) -> str:
    names = {
        "value": value_of(catalogue, column, expression),
        "pair": no_pair(catalogue, [expression]),
    }
    text = render(PACKAGE, "catalogue_expression", names)
    asked = {"none": 0, "now": NO_MOMENT}
    lines = await _tried(connection, f"EXPLAIN (VERBOSE, COSTS OFF) {text}", asked)
    return "" if lines is None else "\n".join(lines.scalars())


async def _tried(
    connection: AsyncConnection, text: str, values: Mapping[str, object]
) -> CursorResult[Any] | None:
    """The answer; None where PostgreSQL refuses, which costs the transaction nothing."""
    try:
        async with connection.begin_nested():
            return await connection.exec_driver_sql(text, dict(values))
    except DBAPIError as refused:
        if refused.connection_invalidated:
            raise
        return None


async def read_sequences(
    connection: AsyncConnection,
    impressions: Relation,
    spec: CatalogueSpec,
    named: tuple[tuple[str, str], ...],
) -> tuple[DrawnSequence, ...]:
    """What new impressions draw from, with `named` by `impressions.defaults`, as things are now."""
    *_, role = spec.roles
    beneath, written = impressions.beneath, impressions.beneath_columns(*role.written)
    if not named and not _may_draw(beneath, written):
        return ()
    values = {
        "relation": beneath.oid,
        "written": list(written),
        "columns": list(impressions.beneath_columns(*(column for column, _ in named))),
        "sequences": [sequence for _, sequence in named],
    }
    rows = await connection.exec_driver_sql(render(PACKAGE, "catalogue_sequences", {}), values)
    return tuple([await _sequence(connection, beneath, row) for row in rows.all()])


def _may_draw(impressions: Relation, written: tuple[str, ...]) -> bool:
    """Whether a column is left to a default that may be a sequence: an identity has no text."""
    return any(
        column.has_default and (column.default is None or "nextval(" in column.default)
        for column in impressions.columns.values()
        if column.name not in written
    )


async def _sequence(
    connection: AsyncConnection, impressions: Relation, row: Row[Any]
) -> DrawnSequence:
    column = impressions.columns[row.column]
    ascends = row.increment > 0
    fits = _LAST.get(column.cast)
    last: int = row.most if ascends else row.least
    if fits is not None:
        last = min(last, fits) if ascends else max(last, -fits - 1)
    # Values that come twice don't fit a unique column, nor do those beyond its type.
    ends = impressions.unique_on(column.name) is not None or last != (
        row.most if ascends else row.least
    )
    return DrawnSequence(
        column=column.name,
        type=column.type,
        schema=row.schema,
        name=row.name,
        identity=row.identity,
        draws=row.draws,
        may_advance=row.may_advance,
        reached=await _reached(connection, impressions, row, numbered=fits is not None),
        increment=row.increment,
        last=last,
        size=abs((last - int(row.start)) // int(row.increment)) + 1,
        cycles=row.cycles and not ends,
    )


async def _reached(
    connection: AsyncConnection, impressions: Relation, row: Row[Any], *, numbered: bool
) -> int | None:
    """The last value drawn, or the one before the first."""
    if row.reached is not None:
        return int(row.reached)
    if row.may_read:
        names: Fragments = {"sequence": identifier(row.schema, row.name)}
        found = await connection.exec_driver_sql(render(PACKAGE, "catalogue_sequence_start", names))
        return int(found.scalar_one()) - int(row.increment)
    before_start = int(row.start) - int(row.increment)
    if not numbered:
        return None if row.identity else before_start
    # Not to be read by this role: it has come at least as far as the rows that are there.
    names = {"table": table(impressions), "column": identifier(row.column)}
    answer = await _tried(connection, render(PACKAGE, "catalogue_farthest", names), {})
    if answer is None:
        return None
    farthest = answer.one()
    if farthest.highest is None:
        return before_start
    if row.increment > 0:
        return max(before_start, int(farthest.highest))
    return min(before_start, int(farthest.lowest))


async def shortage(connection: AsyncConnection, catalogue: Catalogue, rows: int) -> str | None:
    """Why so many new impressions would use too much of a sequence up; None where none would."""
    if rows == 0:
        return None
    sequences = await read_sequences(
        connection, catalogue.impressions, catalogue.spec, catalogue.named_sequences
    )
    drawn: dict[tuple[str, str], int] = {}
    for one in sequences:
        drawn[one.schema, one.name] = drawn.get((one.schema, one.name), 0) + one.draws * rows
    for one in sequences:
        problem = _too_much(catalogue, one, drawn)
        if problem is not None:
            return problem
    return None


def _too_much(
    catalogue: Catalogue, one: DrawnSequence, drawn: Mapping[tuple[str, str], int]
) -> str | None:
    wanted, where = drawn[one.schema, one.name], f"{catalogue.impressions.configured}.{one.column}"
    if one.left is None:
        return (
            f"Nothing tells how many values sequence {one.quoted} has left for {where}, and the"
            f" plan draws {wanted:,}: GRANT SELECT ON SEQUENCE {one.quoted} to {catalogue.role}"
            " (`conservator init --print-sql`)."
        )
    if wanted * MOST_OF_IT <= one.left:
        return None
    return (
        f"The plan draws {wanted:,} values from sequence {one.quoted} behind {where} ({one.type}),"
        f" which has {one.left:,} left up to {one.last:,}: more than half, and where it runs out,"
        " the application's own inserts fail. Let its owner make room there, or heal less:"
        " catalog.users.where, or by hand with --max-rows."
    )
