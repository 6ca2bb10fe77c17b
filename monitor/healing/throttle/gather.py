"""All configured signals at about one moment. A signal that can't be had is Unknown."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine

from checks.errors import ConservatorError
from monitor.healing.throttle.condition import read_condition
from monitor.healing.throttle.model import Signals, Unknown
from monitor.healing.throttle.prometheus import PromqlQuery, read_value
from monitor.healing.throttle.replicas import read_replicas

DEADLINE = timedelta(seconds=5)
"""For each signal. The server ends its own statements by then; the network gets a moment more."""
_MARGIN_SECONDS = 1.0

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Sources:
    """Where signals come from, beside the primary's replicas."""

    wait_while: str | None = None
    promql: PromqlQuery | None = None


async def gather_signals(
    engine: AsyncEngine, sources: Sources, *, deadline: timedelta = DEADLINE
) -> Signals:
    """Ask everybody at once. `engine` is the primary's. Never raises for what they answer."""
    replicas, must_wait, value = await asyncio.gather(
        _within(
            read_replicas(engine, timeout=deadline),
            "How far the replicas are can't be read",
            deadline,
        ),
        _condition(engine, sources, deadline),
        _value(sources, deadline),
    )
    return Signals(replicas, must_wait, value)


async def _condition(
    engine: AsyncEngine, sources: Sources, deadline: timedelta
) -> bool | Unknown | None:
    if sources.wait_while is None:
        return None
    return await _within(
        read_condition(engine, sources.wait_while, timeout=deadline),
        "The SQL of healing.pace.wait_while can't be evaluated",
        deadline,
    )


async def _value(sources: Sources, deadline: timedelta) -> float | Unknown | None:
    if sources.promql is None:
        return None
    return await read_value(sources.promql, timeout_seconds=deadline.total_seconds())


async def _within(asking: Awaitable[_T], problem: str, deadline: timedelta) -> _T | Unknown:
    seconds = deadline.total_seconds() + _MARGIN_SECONDS
    try:
        async with asyncio.timeout(seconds):
            return await asking
    except TimeoutError:
        return Unknown(f"{problem}: no answer within {seconds:g} s.")
    except ConservatorError as error:
        return Unknown(f"{problem}: {error}")
