"""Windows of time without and with healing, in turn, and what the app's visits took in them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import psycopg

from bench.errors import BenchmarkError
from bench.options import Options
from bench.visitors import Visit

GATE = "bench_gate"
"""A table of one row: whether healing has to wait."""
_EDGE_SECONDS = 1.5
"""Left out at the beginning of each window: a run that waits looks again every second."""
_LEAST_ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Round:
    """The app's times alone and then beside healing, in milliseconds, one after the other."""

    alone: tuple[float, ...]
    beside: tuple[float, ...]
    batches: int


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time without its edges, by time.monotonic()."""

    start: float
    end: float

    def times(self, visits: list[Visit]) -> tuple[float, ...]:
        return tuple(v.seconds * 1000 for v in visits if self.start <= v.due < self.end)


async def alternate(
    gate: psycopg.Connection, working: asyncio.Task[Any], options: Options
) -> list[tuple[Window, Window]]:
    """Closed and open in turn, for as long as the work lasts; whole rounds only. Closed at last."""
    rounds: list[tuple[Window, Window]] = []
    while len(rounds) < options.traffic_rounds:
        alone = await _window(options.window_seconds)
        gate.execute(f"UPDATE {GATE} SET closed = false".encode())
        beside = await _window(options.window_seconds)
        if working.done():
            break
        rounds.append((alone, beside))
        gate.execute(f"UPDATE {GATE} SET closed = true".encode())
    if len(rounds) < _LEAST_ROUNDS:
        raise BenchmarkError(
            f"The run ended after {len(rounds)} whole rounds, expected {_LEAST_ROUNDS}: take"
            " shorter windows with --window-seconds, smaller batches with --traffic-batch, or a"
            " larger gallery."
        )
    return rounds


async def _window(seconds: float) -> Window:
    start = time.monotonic() + _EDGE_SECONDS
    await asyncio.sleep(_EDGE_SECONDS + seconds)
    return Window(start, time.monotonic())
