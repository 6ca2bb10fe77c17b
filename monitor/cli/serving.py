"""`serve`: the service with its HTTP side, until it is told to stop. SIGHUP: tokens and certificate
are read again.
"""

from __future__ import annotations

import asyncio
import signal
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    nullcontext,
)
from dataclasses import dataclass
from typing import Any

import structlog
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from checks.errors import ConfigurationError, ConservatorError
from exporters.http.auth import Tokens
from exporters.http.server import HttpServer, create_app, exchange_tokens
from exporters.prometheus import create_registry
from exporters.push.otlp import OtlpPush, pushing
from monitor.cli.open_files import room_for_clients
from monitor.cli.signals import unless_told
from monitor.config import Mode, Server, Settings, Tls
from monitor.config.server import EXCHANGEABLE
from monitor.service.service import Service

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Serving:
    """What runs."""

    service: Service
    runner: HttpServer
    certificate: ssl.SSLContext | None

    def exchange(self, server: Server) -> None:
        """From now on these tokens, and the certificate as its files are now. Raises
        ConfigurationError, and then everything is as it was."""
        if self.certificate is not None and server.tls is not None:
            tls_context(server.tls)  # tried on another one first
            self.certificate.load_cert_chain(server.tls.cert, server.tls.key, password=_no_password)
        exchange_tokens(self.runner.app, tokens(server))


async def serve_until_stopped(
    settings: Settings, load: Callable[[], Settings], stop: asyncio.Event
) -> None:
    """Run until `stop` is set, or until a background task fails, which is raised.

    load: reads the configuration again, for SIGHUP.
    """
    hangup = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hangup.set)
    taken = settings
    async with AsyncExitStack() as stack:
        serving = await unless_told(stop, stack.enter_async_context(served(settings)))
        if serving is None:
            return
        while not await _stopped(stop, hangup, serving.service.failed):
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
    # What decides whether the service may do without a token.
    openness = {"server.host", "server.allow_open"}
    if openness.intersection(restart) and not (server.admin_token or server.read_token):
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


async def _stopped(
    stop: asyncio.Event, hangup: asyncio.Event, failed: asyncio.Future[None] | None
) -> bool:
    """Wait for a signal, and say whether it is one to stop; raise what a background task failed
    with."""
    waiting = [asyncio.create_task(one.wait(), name="signal") for one in (stop, hangup)]
    assert failed is not None
    futures: set[asyncio.Future[Any]] = {*waiting, failed}
    try:
        await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    if failed.done():
        failed.result()
    return stop.is_set()


@asynccontextmanager
async def served(settings: Settings) -> AsyncIterator[Serving]:
    """Everything at work. Raises what a start raises; afterwards nothing is left of it."""
    service = Service(settings)
    registry = create_registry(service.board, observe=_observes(settings))
    exporting = exports(service, settings, registry)
    context = None if settings.server.tls is None else tls_context(settings.server.tls)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(service.stop)
        await service.start()
        runner = await listen(service, settings, registry, context)
        stack.push_async_callback(runner.cleanup)
        await stack.enter_async_context(exporting)
        # Healing first: pages and metrics answer until the last batch is done.
        stack.push_async_callback(service.stop)
        yield Serving(service, runner, context)


def exports(
    service: Service, settings: Settings, registry: CollectorRegistry
) -> AbstractAsyncContextManager[None]:
    """What pushes metrics while it is entered. Raises ConfigurationError."""
    otlp = settings.export.otlp
    if otlp is None:
        return nullcontext()
    status = service.board.current
    push = OtlpPush(
        registry,
        otlp.endpoint,
        instance=status.replica,
        version=status.version,
        timeout_seconds=otlp.timeout.total_seconds(),
    )
    return pushing(push, every_seconds=otlp.every.total_seconds())


def _observes(settings: Settings) -> bool:
    return settings.healing.mode is Mode.OBSERVE


def tokens(server: Server) -> Tokens:
    """The configured tokens."""
    return Tokens(
        admin=_secret(server.admin_token),
        app=_secret(server.app_token),
        alert=_secret(server.alert_token),
        read=_secret(server.read_token),
    )


def _secret(value: SecretStr | None) -> str | None:
    return None if value is None else value.get_secret_value()


def tls_context(tls: Tls) -> ssl.SSLContext:
    """TLS 1.2 and later with this certificate. Raises ConfigurationError."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(tls.cert, tls.key, password=_no_password)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
        raise ConfigurationError(
            "server.tls: expected a certificate and its private key, both as PEM, found something"
            f" else in these files ({reason}); correct server.tls.cert and server.tls.key."
        ) from error
    return context


def _no_password() -> str:
    """In place of OpenSSL's question on the terminal, for which everything would stand still."""
    raise ValueError("the key is encrypted, and nobody is there to type its password")


async def listen(
    service: Service,
    settings: Settings,
    registry: CollectorRegistry,
    certificate: ssl.SSLContext | None,
) -> HttpServer:
    """Open the port. Raises ConfigurationError when it can't be had."""
    server = settings.server
    app = create_app(
        service.board,
        service.commands,
        tokens(server),
        observe=_observes(settings),
        registry=registry,
        backfills_a_minute=server.backfills_a_minute,
    )
    runner = HttpServer(app, connections=room_for_clients(settings))
    try:
        await runner.start(server.host, server.port, ssl_context=certificate)
    except OSError as error:
        raise ConfigurationError(
            f"server.port: expected a free port on {server.host}, found {server.port} taken or not"
            f" allowed ({error.strerror}); choose another, or end what listens there."
        ) from error
    host, port = runner.addresses[0]
    scheme = "http" if certificate is None else "https"
    shown = f"[{host}]" if ":" in host else host
    only = {"only": "IPv6"} if host == "::" else {}
    log.info("listening", address=f"{scheme}://{shown}:{port}/", **only)
    return runner
