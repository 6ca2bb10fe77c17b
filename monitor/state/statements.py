"""The statements over the state schema, rendered once for a catalogue and a schema name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast

from psycopg import sql
from sqlalchemy import CursorResult
from sqlalchemy.engine import IteratorResult
from sqlalchemy.engine.result import SimpleResultMetaData
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.citus.forms import form_of
from checks.fragments import fragments
from checks.kept_catalogue import KeptCatalogue
from checks.pipeline import Rows, Statement, send
from checks.relations import Catalogue
from checks.spec import PoolsSpec
from checks.statements import Fragments, render
from monitor.state.schema import PACKAGE, state_fragments
from monitor.state.stored_text import stored

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Record = TypeVar("Record")


class SchemaStatements:
    """Statements over our own tables alone: they work whatever has become of the app's tables."""

    def __init__(self, state_schema: str) -> None:
        self.state_schema = state_schema
        self._rendered: dict[str, str] = {}

    @property
    def fragments(self) -> Fragments:
        """The name of the schema."""
        return {"state": sql.Identifier(self.state_schema)}

    def text(self, name: str) -> str:
        """The statement `name`, parameters unbound."""
        if name not in self._rendered:
            self._rendered[name] = render(PACKAGE, name, self.fragments)
        return self._rendered[name]

    def statement(self, name: str, values: Mapping[str, object] | None = None) -> Statement:
        """The statement `name` with its parameters, to be sent along with others."""
        return Statement(self.text(name), stored(values))

    async def run(
        self, connection: AsyncConnection, name: str, values: Mapping[str, object] | None = None
    ) -> CursorResult[Any]:
        """Run the statement `name` with its parameters; it may use fewer than there are."""
        return await connection.exec_driver_sql(self.text(name), stored(values))

    async def find(
        self,
        connection: AsyncConnection,
        name: str,
        record: Callable[..., Record],
        /,
        **values: object,
    ) -> Record | None:
        """The one row that the statement finds, made a `record` by the names of its columns."""
        row = (await self.run(connection, name, values)).one_or_none()
        return None if row is None else record(**row._mapping)

    async def list(
        self,
        connection: AsyncConnection,
        name: str,
        record: Callable[..., Record],
        /,
        **values: object,
    ) -> tuple[Record, ...]:
        """Every row that the statement finds, each made a `record` by the names of its columns."""
        rows = await self.run(connection, name, values)
        return tuple(record(**row._mapping) for row in rows)


class Answered(SchemaStatements):
    """The same statements, of which some were asked together: what these answered is there, once,
    for whoever runs one of them next."""

    def __init__(self, statements: SchemaStatements, answers: Mapping[str, Rows]) -> None:
        """`answers`: by the statements' names, their rows."""
        super().__init__(statements.state_schema)
        self._statements = statements
        self._answers = dict(answers)

    def text(self, name: str) -> str:
        """In the form for the engine, as ever."""
        return self._statements.text(name)

    async def run(
        self, connection: AsyncConnection, name: str, values: Mapping[str, object] | None = None
    ) -> CursorResult[Any]:
        """What it answered; it is run where it was not asked."""
        rows = self._answers.pop(name, None)
        if rows is None:
            return await self._statements.run(connection, name, values)
        columns = SimpleResultMetaData(rows[0]._columns if rows else ())
        # There is no cursor any more: rows can be taken from it, and nothing else.
        return cast("CursorResult[Any]", IteratorResult(columns, iter(rows)))


async def ask_together(
    connection: AsyncConnection,
    statements: SchemaStatements,
    names: Iterable[str],
    values: Mapping[str, object],
) -> Answered:
    """Run the statements `names`, none of which writes, with their parameters in one round trip.
    Raises psycopg.Error."""
    asked = {name: statements.statement(name, values) for name in names}
    return Answered(
        statements, dict(zip(asked, await send(connection, asked.values()), strict=True))
    )


class StateStatements(SchemaStatements):
    """Statements that name the app's id types and tables as well."""

    def __init__(self, catalogue: Catalogue, pools: PoolsSpec, state_schema: str) -> None:
        super().__init__(state_schema)
        self.catalogue = catalogue
        self.pools = pools

    @property
    def kept(self) -> KeptCatalogue:
        """What a run keeps that is planned now."""
        return KeptCatalogue.of(self.catalogue.spec, self.pools.audience)

    def text(self, name: str) -> str:
        """The statement `name` in its form for the engine, parameters unbound."""
        return super().text(form_of(self.catalogue.engine, name))

    @cached_property
    def fragments(self) -> Fragments:
        """The fragments of the app's tables and of the state schema together."""
        return {
            **fragments(self.catalogue, self.pools),
            **state_fragments(self.catalogue, self.state_schema),
        }


def parameters(record: DataclassInstance) -> dict[str, object]:
    """The fields of a record as a statement's parameters, by their names."""
    return {field.name: getattr(record, field.name) for field in fields(record)}
