"""The last report of each suite of expectations, as Great Expectations made it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.state.statements import SchemaStatements


@dataclass(frozen=True, slots=True)
class Validation:
    """One suite's last report."""

    suite: str
    validated_at: datetime
    document: Mapping[str, Any]


async def keep_validation(
    connection: AsyncConnection, statements: SchemaStatements, suite: str, document: str
) -> None:
    """Keep the report, as JSON, in place of the suite's last one."""
    await statements.run(connection, "validation_keep", {"suite": suite, "document": document})


async def read_validations(
    connection: AsyncConnection, statements: SchemaStatements
) -> tuple[Validation, ...]:
    """The last report of every suite, by name."""
    rows = await statements.run(connection, "validations_read")
    return tuple(Validation(row.suite, row.validated_at, row.document) for row in rows)
