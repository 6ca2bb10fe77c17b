"""The port: tokens, certificate, and the application behind them."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

import structlog
from aiohttp import web
from pydantic import SecretStr

from checks.errors import ConfigurationError
from exporters.api import Keyring, Site, Tokens, create_app
from exporters.refusals import Refusals
from monitor.config import Mode, Server, Settings, Tls
from monitor.service import Service

log = structlog.get_logger(__name__)

HTTP_SHUTDOWN_SECONDS = 1.0
"""The service has stopped by then: whoever still waits for an answer gets none."""


@dataclass(frozen=True, slots=True)
class Listening:
    """An open port. `tls` can load another certificate: new connections get it."""

    runner: web.AppRunner
    address: str
    tls: ssl.SSLContext | None


def tokens(server: Server) -> Tokens:
    """The configured tokens."""
    return Tokens(
        admin=_plain(server.admin_token),
        app=_plain(server.app_token),
        alert=_plain(server.alert_token),
        read=_plain(server.read_token),
    )


def _plain(value: SecretStr | None) -> str | None:
    return None if value is None else value.get_secret_value()


async def listen(service: Service, settings: Settings, keyring: Keyring) -> Listening:
    """Open the port. Raises ConfigurationError when it can't be had, or a certificate is bad."""
    server = settings.server
    context = None if server.tls is None else _context(server.tls)
    refusals = Refusals()
    app = create_app(
        service.board,
        service.desk,
        keyring,
        observe=settings.healing.mode is Mode.OBSERVE,
        refusals=refusals,
        backfills_per_minute=server.backfills_per_minute,
    )
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=HTTP_SHUTDOWN_SECONDS)
    await runner.setup()
    site = Site(runner, server.host, server.port, refusals=refusals, ssl_context=context)
    try:
        await site.start()
    except OSError as error:
        await runner.cleanup()
        raise ConfigurationError(
            f"server.port: expected a free port on {server.host}, found {server.port} taken or not"
            f" allowed ({error.strerror}); choose another, or end what listens there."
        ) from error
    host, port = runner.addresses[0][:2]
    shown = f"[{host}]" if ":" in host else host
    address = f"{'http' if context is None else 'https'}://{shown}:{port}/"
    log.info("listening", address=address)
    return Listening(runner, address, context)


def _context(tls: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    load_certificate(context, tls)
    return context


def load_certificate(context: ssl.SSLContext, tls: Tls) -> None:
    """Give `context` the certificate and key, once both are known to go together.

    Raises ConfigurationError, and leaves the context as it was.
    """
    trial = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        for one in (trial, context):
            one.load_cert_chain(tls.cert, tls.key, password=_no_password)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, ssl.SSLError | OSError) else str(error)
        raise ConfigurationError(
            "server.tls: expected a PEM certificate and its unencrypted private key, found files"
            f" that can't be used ({why or type(error).__name__}); correct the paths or the files."
        ) from error


def _no_password() -> str:
    """Instead of OpenSSL asking on the terminal, which nobody looks at."""
    raise ValueError("the key is encrypted")
