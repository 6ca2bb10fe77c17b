"""`serve`: the service with its HTTP side, until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import typer

from exporters.api import Keyring
from monitor.cli.listening import listen, tokens
from monitor.cli.logs import configure_logs
from monitor.cli.reload import Reloader
from monitor.cli.session import settings_of
from monitor.config import Settings
from monitor.service import Service


def serve(context: typer.Context) -> None:
    """Run the service: scheduler, checks, healing, HTTP. SIGTERM and Ctrl-C end it in order.

    SIGHUP reads the configuration again: tokens, certificate and pace change at once, and the log
    names what waits for a restart. A database that can't be reached is waited for; /readyz says so
    meanwhile.
    """
    # A SIGHUP that comes too early must not end the process; the file is about to be read anyway.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    configure_logs(logging.INFO)
    asyncio.run(serve_until_stopped(lambda: settings_of(context)))


async def serve_until_stopped(load: Callable[[], Settings]) -> None:
    """Run until a signal, or until a background task fails, which is raised."""
    settings = load()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    service = Service(settings)
    keyring = Keyring(tokens(settings.server))
    reloader = Reloader(load, service, keyring)
    loop.add_signal_handler(signal.SIGHUP, reloader.ask)
    try:
        await service.start()
        listening = await listen(service, settings, keyring)
        reloader.secure(listening.tls)
        try:
            await _first(stop, service, reloader)
        finally:
            # Stop healing first: pages and metrics answer until the last batch is done.
            await service.stop()
            await listening.runner.cleanup()
    except BaseException:
        await service.stop()
        raise


async def _first(stop: asyncio.Event, service: Service, reloader: Reloader) -> None:
    """Wait for a signal; raise what a background task failed with."""
    waiting = asyncio.create_task(stop.wait(), name="signal")
    reading = asyncio.create_task(reloader.serve(), name="reload")
    assert service.failed is not None
    try:
        futures: set[asyncio.Future[Any]] = {waiting, reading, service.failed}
        await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (waiting, reading):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
    if service.failed.done():
        service.failed.result()
