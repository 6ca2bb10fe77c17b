"""What a run yields to, asked for at about one moment: standbys, the operator's SQL, a Prometheus
query. A signal that can't be had is Unknown."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine

from checks.errors import ConservatorError
from checks.pipeline import Statement
from checks.statements import operator_sql, render
from monitor.database import at_once
from monitor.deadlines import SIGNAL_MARGIN_SECONDS, SIGNAL_TIMEOUT
from monitor.healing.throttle.prometheus import PromqlQuery, read_value
from monitor.healing.throttle.throttle import Replica, Signals, Unknown

PACKAGE = "monitor.healing.throttle"
_ONE_QUERY = "SELECT * FROM (\n{}\n) AS answer WHERE %(asked)s"
"""With a parameter, the server takes one statement and no more: not even an operator who means
well can end our transaction, which can't write, and go on after it."""

_T = TypeVar("_T")


async def gather_signals(
    engine: AsyncEngine,
    *,
    wait_while: str | None = None,
    promql: PromqlQuery | None = None,
    deadline: timedelta = SIGNAL_TIMEOUT,
) -> Signals:
    """Ask everybody at once, replicas always and the others where they are configured.

    `engine` is the primary's. Never raises for what they answer.
    """
    replicas, must_wait, value = await asyncio.gather(
        _within(
            read_replicas(engine, timeout=deadline),
            "How far the replicas are can't be read",
            deadline,
        ),
        _within(
            read_condition(engine, wait_while, timeout=deadline),
            "The SQL of healing.pace.wait_while can't be evaluated",
            deadline,
        ),
        read_value(promql, timeout_seconds=deadline.total_seconds()),
    )
    return Signals(replicas, must_wait, value)


async def _within(asking: Awaitable[_T], problem: str, deadline: timedelta) -> _T | Unknown:
    seconds = deadline.total_seconds() + SIGNAL_MARGIN_SECONDS
    try:
        async with asyncio.timeout(seconds):
            return await asking
    except TimeoutError:
        return Unknown(f"{problem}: no answer within {seconds:g} s.")
    except ConservatorError as error:
        return Unknown(f"{problem}: {error}")


async def read_replicas(engine: AsyncEngine, *, timeout: timedelta) -> tuple[Replica, ...]:
    """Every standby in pg_stat_replication. Raises DatabaseUnavailableError, StatementError."""
    asking = Statement(render(PACKAGE, "replicas", {}))
    (rows,) = await at_once(engine, asking, timeout=timeout, read_only=True)
    return tuple(_replica(row) for row in rows)


def _replica(row: Any) -> Replica:
    # Standbys that were not named are all called "walreceiver".
    name = f"{row.name or 'standby'}" + (f" ({row.address})" if row.address else "")
    lag: int | Unknown
    if not row.readable:
        lag = Unknown(
            f"How far replica {name} is behind can't be read by this role:"
            f" GRANT pg_monitor TO {row.role};"
        )
    elif not row.reported:
        lag = Unknown(f"Replica {name} has just connected and not yet said how far it is.")
    else:
        lag = int(row.lag_bytes)
    return Replica(name, None if row.lag_seconds is None else float(row.lag_seconds), lag)


async def read_condition(
    engine: AsyncEngine, query: str | None, *, timeout: timedelta
) -> bool | Unknown | None:
    """What the operator's `query`, if any, returns, one row with one boolean, in a transaction that
    can't write. Raises DatabaseUnavailableError, StatementError."""
    if query is None:
        return None
    text = _ONE_QUERY.format(operator_sql(query.strip().rstrip("; \n")).as_string(None))
    asking = Statement(text, {"asked": True})
    (rows,) = await at_once(engine, asking, timeout=timeout, read_only=True)
    found = "several rows" if len(rows) > 1 else "no row"
    if len(rows) == 1:
        (row,) = rows
        if len(row) == 1 and isinstance(row[0], bool):
            return row[0]
        found = f"{len(row)} columns" if len(row) != 1 else f"{row[0]!r:.60}"
        found = "NULL" if tuple(row) == (None,) else found
    return Unknown(
        "The SQL of healing.pace.wait_while should return one row with true or false; it returned"
        f" {found}."
    )
