"""The statements over the state schema, rendered once for a catalogue and a schema name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from sqlalchemy import CursorResult
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.fragments import fragments
from checks.relations import Catalogue
from checks.spec import PoolsSpec
from checks.statements import Fragments, render
from monitor.state.schema import PACKAGE, state_fragments


class StateStatements:
    """Renders and runs `monitor/state/sql` statements; holds no connection and no state."""

    def __init__(self, catalogue: Catalogue, pools: PoolsSpec, state_schema: str) -> None:
        self.catalogue = catalogue
        self.pools = pools
        self.state_schema = state_schema
        self._rendered: dict[str, str] = {}

    @cached_property
    def fragments(self) -> Fragments:
        """The fragments of the app's tables and of the state schema together."""
        return {
            **fragments(self.catalogue, self.pools),
            **state_fragments(self.catalogue, self.state_schema),
        }

    def text(self, name: str, package: str = PACKAGE) -> str:
        """The statement `name`, parameters unbound."""
        if name not in self._rendered:
            self._rendered[name] = render(package, name, self.fragments)
        return self._rendered[name]

    async def run(
        self, connection: AsyncConnection, name: str, values: Mapping[str, object] | None = None
    ) -> CursorResult[Any]:
        """Run the statement `name` with its parameters."""
        return await connection.exec_driver_sql(self.text(name), dict(values or {}))
