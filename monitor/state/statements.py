"""The statements over the state schema, rendered once for a catalogue and a schema name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from psycopg import sql
from sqlalchemy import CursorResult
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.citus.forms import form_of
from checks.fragments import fragments
from checks.relations import Catalogue
from checks.spec import PoolsSpec
from checks.statements import Fragments, render
from monitor.state.schema import PACKAGE, state_fragments


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

    async def run(
        self, connection: AsyncConnection, name: str, values: Mapping[str, object] | None = None
    ) -> CursorResult[Any]:
        """Run the statement `name` with its parameters."""
        return await connection.exec_driver_sql(self.text(name), dict(values or {}))


class StateStatements(SchemaStatements):
    """Statements that name the app's id types and tables as well."""

    def __init__(self, catalogue: Catalogue, pools: PoolsSpec, state_schema: str) -> None:
        super().__init__(state_schema)
        self.catalogue = catalogue
        self.pools = pools

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
