"""SIGHUP: read the configuration again, and use of it what may change at once."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

import structlog

from checks.errors import ConfigurationError
from exporters.api import Keyring
from monitor.cli.listening import load_certificate, tokens
from monitor.config import Settings, change
from monitor.service import Service

log = structlog.get_logger(__name__)


class Reloader:
    """Reads again when it is told to, one time after the other."""

    def __init__(self, load: Callable[[], Settings], service: Service, keyring: Keyring) -> None:
        self._load = load
        self._service = service
        self._keyring = keyring
        self._tls: ssl.SSLContext | None = None
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Read soon. Asked twice before it began, it reads once."""
        self._asked.set()

    def secure(self, context: ssl.SSLContext | None) -> None:
        """The port is open: this context's certificate is to be renewed."""
        self._tls = context

    async def serve(self) -> None:
        """Read whenever asked, for ever. What is wrong is logged, and changes nothing."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            try:
                self._use(await asyncio.to_thread(self._load))
            except ConfigurationError as error:
                log.warning("config_refused", error=str(error))
                self._service.board.update(config_error=str(error))

    def _use(self, after: Settings) -> None:
        """All of it or nothing. Raises ConfigurationError."""
        changed = change(self._service.settings, after)
        server = changed.settings.server
        if self._tls is not None and server.tls is not None:
            load_certificate(self._tls, server.tls)
        self._service.use(changed.settings)
        self._keyring.current = tokens(server)
        self._service.board.update(config_error=None)
        log.info(
            "config_reloaded",
            applied=changed.applied,
            restart_needed=changed.restart_needed,
            certificate=self._tls is not None,
        )
