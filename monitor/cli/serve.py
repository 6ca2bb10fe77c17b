"""`serve`: the service with its HTTP side, until it is told to stop. SIGHUP: the configuration is
read again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import structlog
import typer

from checks.errors import ConservatorError
from monitor.cli.logs import configure_logs
from monitor.cli.session import config_path
from monitor.config import Settings, load_config
from monitor.config.changes import changed, only_exchangeable
from monitor.service.service import Service

if TYPE_CHECKING:
    from monitor.cli.serving import Serving

log = structlog.get_logger(__name__)

Load = Callable[[], Settings]
"""Reads the configuration. Raises ConfigurationError."""


def serve(context: typer.Context) -> None:
    """Run the service: scheduler, checks, healing, HTTP. SIGTERM and Ctrl-C end it in order; SIGHUP
    has it read its configuration and tokens again.

    A database that can't be reached is waited for; /readyz says so meanwhile.
    """
    # Before it can be heard it must not end the process: the file is about to be read anyway.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    configure_logs(logging.INFO)
    path = config_path(context)

    def load() -> Settings:
        return load_config(path, os.environ)

    asyncio.run(serve_until_stopped(load(), load))


async def serve_until_stopped(settings: Settings, load: Load) -> None:
    """Run until a signal, or until a background task fails, which is raised.

    What SIGHUP brings that can't be exchanged at once takes an end and a start within the process;
    where that start fails, the settings before are taken again.
    """
    # Loaded when there is something to serve: no other command needs HTTP.
    from monitor.cli.serving import served  # noqa: PLC0415

    stop, hangup = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, hangup.set)
    before: Settings | None = None
    refused: str | None = None
    while True:
        try:
            async with served(settings) as serving:
                before = None
                serving.service.board.update(config_error=refused)
                wanted = await _serve(serving, settings, load, stop, hangup)
        except ConservatorError as error:
            if before is None:
                raise
            log.warning("config_refused", error=str(error))
            settings, before, refused = before, None, str(error)
            continue
        if wanted is None:
            return
        settings, before, refused = wanted, settings, None


async def _serve(
    serving: Serving, settings: Settings, load: Load, stop: asyncio.Event, hangup: asyncio.Event
) -> Settings | None:
    """Serve until a stop, which is None, or until settings come that need a start of their own."""
    while True:
        await _first(stop, hangup, serving.service)
        if stop.is_set():
            return None
        hangup.clear()
        try:
            wanted = load()
            paths = changed(settings, wanted)
            if not only_exchangeable(paths):
                log.info("config_reloaded", changed=paths, restarts=True)
                return wanted
            serving.exchange(wanted.server)
        except ConservatorError as error:
            log.warning("config_refused", error=str(error))
            serving.service.board.update(config_error=str(error))
        else:
            settings = wanted
            serving.service.board.update(config_error=None)
            log.info("config_reloaded", changed=paths, restarts=False)


async def _first(stop: asyncio.Event, hangup: asyncio.Event, service: Service) -> None:
    """Wait for a signal; raise what a background task failed with."""
    waiting = [asyncio.create_task(one.wait(), name="signal") for one in (stop, hangup)]
    assert service.failed is not None
    try:
        futures: set[asyncio.Future[Any]] = {*waiting, service.failed}
        await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
    if service.failed.done():
        service.failed.result()
