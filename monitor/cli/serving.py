"""The service and its HTTP side over one configuration; tokens and certificate can be exchanged."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass

import structlog
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from checks.errors import ConfigurationError
from exporters.http.auth import Tokens
from exporters.http.server import HttpServer, create_app, exchange_tokens
from exporters.prometheus import create_registry
from exporters.push.otlp import OtlpPush, pushing
from monitor.config import Mode, Server, Settings, Tls
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


@asynccontextmanager
async def served(settings: Settings) -> AsyncIterator[Serving]:
    """Everything at work. Raises what a start raises; afterwards nothing is left of it."""
    service = Service(settings)
    registry = create_registry(service.board, observe=_observes(settings))
    exporting = exports(service, settings, registry)
    context = None if settings.server.tls is None else tls_context(settings.server.tls)
    try:
        await service.start()
        runner = await listen(service, settings, registry, context)
        try:
            async with exporting:
                try:
                    yield Serving(service, runner, context)
                finally:
                    # Healing first: pages and metrics answer until the last batch is done.
                    await service.stop()
        finally:
            await runner.cleanup()
    finally:
        await service.stop()


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
    registry: CollectorRegistry | None = None,
    certificate: ssl.SSLContext | None = None,
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
    runner = HttpServer(app)
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
    log.info("listening", address=f"{scheme}://{shown}:{port}/")
    return runner
