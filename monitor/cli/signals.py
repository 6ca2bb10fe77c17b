"""What SIGTERM, SIGINT (Ctrl-C) and SIGHUP (the terminal is closed) do to a command under way.

run          it is cancelled, its statement on the server too, and it ends with 128 and the number;
             at a second one it ends soon, whatever still has not come to an end
run_service  it is told, and ends in order with 0; `serve` reads its tokens anew at SIGHUP
confirmed    while somebody is asked: it ends at once

What a signal does before and after that is in `monitor.cli`. A run of batches that is cancelled
finishes its batch and is put down (monitor/cli/foreground.py).
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import typer

from checks.errors import ConservatorError
from monitor.cli import ENDING, is_ignored, leave
from monitor.deadlines import LEAVE_SECONDS

Result = TypeVar("Result")


class StoppedError(ConservatorError):
    """A signal ended the command."""

    def __init__(self, number: int) -> None:
        super().__init__("Stopped.")
        self.exit_code = 128 + number


def run(command: Coroutine[Any, Any, Result]) -> Result:
    """What `command` returns, as by asyncio.run. Raises StoppedError when a signal ended it."""
    told: list[int] = []

    async def until_told() -> Result:
        working = asyncio.ensure_future(command)

        def tell(number: int) -> None:
            told.append(number)
            if len(told) == 1:
                working.cancel()
            else:
                _leave_soon(128 + told[0])

        with _taken_by(tell):
            try:
                return await working
            finally:
                if told:
                    _leave_soon(128 + told[0])

    try:
        return asyncio.run(until_told())
    except BaseException as error:
        if told:
            raise StoppedError(told[0]) from error
        raise


def run_service(serve: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Run what ends in order once the event is set."""

    async def until_told() -> None:
        stop = asyncio.Event()
        with _taken_by(lambda _: stop.set()):
            try:
                await serve(stop)
            finally:
                if stop.is_set():
                    _leave_soon(0)

    asyncio.run(until_told())


async def unless_told(stop: asyncio.Event, work: Awaitable[Result]) -> Result | None:
    """What `work` returns; it is cancelled as soon as `stop` is set, and then None."""
    working = asyncio.ensure_future(work)
    told = asyncio.create_task(stop.wait(), name="signal")
    try:
        await asyncio.wait({working, told}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            working.cancel()
            await asyncio.wait({working})
    finally:
        told.cancel()
    return None if working.cancelled() else working.result()


def confirmed(question: str, *, abort: bool = False, err: bool = False) -> bool:
    """As typer.confirm. While somebody is asked, nothing is under way, and nobody else would hear a
    signal."""
    with _handled(lambda number: signal.signal(number, leave)):
        return typer.confirm(question, abort=abort, err=err)


@contextmanager
def _taken_by(tell: Callable[[int], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    with _handled(lambda number: loop.add_signal_handler(number, tell, number)) as handled:
        try:
            yield
        finally:
            for number in handled:
                loop.remove_signal_handler(number)


@contextmanager
def _handled(handle: Callable[[signal.Signals], object]) -> Iterator[tuple[signal.Signals, ...]]:
    """Each signal is handled so, and afterwards as before."""
    if threading.current_thread() is not threading.main_thread():
        yield ()  # no other thread may
        return
    before = {number: signal.getsignal(number) for number in ENDING if not is_ignored(number)}
    for number in before:
        handle(number)
    try:
        yield tuple(before)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave_soon(code: int) -> None:
    """What the loop waits for beyond our work, a name that is looked up for one, must not keep a
    process that was told to end."""
    timer = threading.Timer(LEAVE_SECONDS, os._exit, (code,))
    timer.daemon = True
    timer.start()
