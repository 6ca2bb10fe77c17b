"""The last report of each suite of expectations, as Great Expectations made it."""

from __future__ import annotations

import asyncio
import json
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
    connection: AsyncConnection,
    statements: SchemaStatements,
    suite: str,
    document: Mapping[str, Any],
) -> None:
    """Keep the report in place of the suite's last one."""
    text = await asyncio.to_thread(json.dumps, document)
    await statements.run(connection, "validation_keep", {"suite": suite, "document": text})


async def read_validations(
    connection: AsyncConnection, statements: SchemaStatements
) -> tuple[Validation, ...]:
    """The last report of every suite, by name."""
    rows = await statements.run(connection, "validations_read")
    return tuple(Validation(row.suite, row.validated_at, row.document) for row in rows)
