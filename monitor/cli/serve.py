"""`serve`: the service with its HTTP side, until it is told to stop. SIGHUP: tokens and certificate
are read again.
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

from checks.errors import ConfigurationError, ConservatorError
from monitor.cli.logs import configure_logs
from monitor.cli.session import config_path
from monitor.config import Settings, load_config
from monitor.config.server import EXCHANGEABLE
from monitor.service.service import Service

if TYPE_CHECKING:
    from monitor.cli.serving import Serving

log = structlog.get_logger(__name__)

Load = Callable[[], Settings]
"""Reads the configuration. Raises ConfigurationError."""
_OPENNESS = frozenset({"server.host", "server.allow_open"})
"""What decides whether the service may do without a token."""


def serve(context: typer.Context) -> None:
    """Run the service: scheduler, checks, healing, HTTP. SIGTERM and Ctrl-C end it in order; SIGHUP
    has it read its tokens and certificate again.

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
    """Run until a signal, or until a background task fails, which is raised."""
    # Loaded when there is something to serve: no other command needs HTTP.
    from monitor.cli.serving import served  # noqa: PLC0415

    stop, hangup = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, hangup.set)
    taken = settings
    async with served(settings) as serving:
        while not await _stopped(stop, hangup, serving.service):
            hangup.clear()
            try:
                taken = exchange(serving, settings, taken, load())
            except ConservatorError as error:
                log.warning("config_refused", error=str(error))


def exchange(serving: Serving, started: Settings, taken: Settings, wanted: Settings) -> Settings:
    """Take the tokens and the certificate of `wanted` at once, and say what else of it differs from
    what the service was started with; `taken` is what was taken last. Returns what is taken now.

    Raises ConfigurationError, and then everything is as it was.
    """
    restart = [path for path in started.changed_keys(wanted) if path not in EXCHANGEABLE]
    server = wanted.server
    if _OPENNESS.intersection(restart) and not (server.admin_token or server.read_token):
        raise ConfigurationError(
            "server: expected admin_token or read_token as long as the service listens as it was"
            " started, found neither; restart it for the new server.host or server.allow_open."
        )
    serving.exchange(server)
    exchanged = [path for path in taken.changed_keys(wanted) if path in EXCHANGEABLE]
    log.info("config_reloaded", changed=exchanged)
    if restart:
        log.warning("restart_needed", changed=restart)
    return wanted


async def _stopped(stop: asyncio.Event, hangup: asyncio.Event, service: Service) -> bool:
    """Wait for a signal, and say whether it is one to stop; raise what a background task failed
    with."""
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
    return stop.is_set()
