"""`serve`: the service with its HTTP side, until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import signal
import ssl
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from typing import Any

import structlog
import typer
from aiohttp import web
from pydantic import SecretStr

from checks.errors import ConfigurationError
from exporters.api import Tokens, create_app
from exporters.api.runner import Runner
from exporters.otlp.push import OtlpPush, pushing
from exporters.prometheus import create_registry
from monitor.cli.logs import configure_logs
from monitor.cli.session import settings_of
from monitor.config import Mode, Server, Settings
from monitor.service import Service

log = structlog.get_logger(__name__)

HTTP_SHUTDOWN_SECONDS = 1.0
"""The service has stopped by then: whoever still waits for an answer gets none."""


def serve(context: typer.Context) -> None:
    """Run the service: scheduler, checks, healing, HTTP. SIGTERM and Ctrl-C end it in order.

    A database that can't be reached is waited for; /readyz says so meanwhile.
    """
    configure_logs(logging.INFO)
    settings = settings_of(context)
    asyncio.run(serve_until_stopped(settings))


async def serve_until_stopped(settings: Settings) -> None:
    """Run until a signal, or until a background task fails, which is raised."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    service = Service(settings)
    exporting = exports(service, settings)
    try:
        await service.start()
        runner = await listen(service, settings)
        try:
            async with exporting:
                try:
                    await _first(stop, service)
                finally:
                    # Healing first: pages and metrics answer until the last batch is done.
                    await service.stop()
        finally:
            await runner.cleanup()
    except BaseException:
        await service.stop()
        raise


async def _first(stop: asyncio.Event, service: Service) -> None:
    """Wait for a signal; raise what a background task failed with."""
    waiting = asyncio.create_task(stop.wait(), name="signal")
    assert service.failed is not None
    try:
        futures: set[asyncio.Future[Any]] = {waiting, service.failed}
        await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting
    if service.failed.done():
        service.failed.result()


def exports(service: Service, settings: Settings) -> AbstractAsyncContextManager[None]:
    """What pushes metrics while it is entered. Raises ConfigurationError."""
    otlp = settings.export.otlp
    if otlp is None:
        return nullcontext()
    status = service.board.current
    push = OtlpPush(
        create_registry(service.board, observe=settings.healing.mode is Mode.OBSERVE),
        otlp.endpoint,
        instance=status.replica,
        version=status.version,
        timeout_seconds=otlp.timeout.total_seconds(),
    )
    return pushing(push, every_seconds=otlp.every.total_seconds())


def secret(value: SecretStr | None) -> str | None:
    """The text of a secret."""
    return None if value is None else value.get_secret_value()


def tokens(server: Server) -> Tokens:
    """The configured tokens."""
    return Tokens(
        admin=secret(server.admin_token),
        app=secret(server.app_token),
        alert=secret(server.alert_token),
        read=secret(server.read_token),
    )


async def listen(service: Service, settings: Settings) -> web.AppRunner:
    """Open the port. Raises ConfigurationError when it can't be had."""
    server = settings.server
    app = create_app(
        service.board, service.desk, tokens(server), observe=settings.healing.mode is Mode.OBSERVE
    )
    runner = Runner(app, access_log=None, shutdown_timeout=HTTP_SHUTDOWN_SECONDS)
    await runner.setup()
    context = None
    if server.tls is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(server.tls.cert, server.tls.key)
    site = web.TCPSite(runner, server.host, server.port, ssl_context=context)
    try:
        await site.start()
    except OSError as error:
        await runner.cleanup()
        raise ConfigurationError(
            f"server.port: expected a free port on {server.host}, found {server.port} taken or not"
            f" allowed ({error.strerror}); choose another, or end what listens there."
        ) from error
    host, port = runner.addresses[0][:2]
    scheme = "http" if context is None else "https"
    log.info("listening", address=f"{scheme}://{host}:{port}/")
    return runner
