"""Waiting for a condition; the only place where tests sleep."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable

_POLL = 0.01  # seconds
PATIENCE = 60.0  # seconds; the computer may be busy


async def wait_until(
    condition: Callable[[], bool | Awaitable[bool]], deadline_seconds: float = PATIENCE
) -> None:
    """Returns as soon as `condition` holds; AssertionError when it doesn't within the deadline."""
    deadline = time.monotonic() + deadline_seconds
    while True:
        held = condition()
        if inspect.isawaitable(held):
            held = await held
        if held:
            return
        _expire(condition, deadline, deadline_seconds)
        await asyncio.sleep(_POLL)


def wait_until_sync(condition: Callable[[], bool], deadline_seconds: float = PATIENCE) -> None:
    """The same where no event loop runs."""
    deadline = time.monotonic() + deadline_seconds
    while not condition():
        _expire(condition, deadline, deadline_seconds)
        time.sleep(_POLL)


def _expire(condition: Callable[[], object], deadline: float, seconds: float) -> None:
    if time.monotonic() > deadline:
        name = getattr(condition, "__qualname__", repr(condition))
        raise AssertionError(f"not within {seconds:g} s: {name}")
