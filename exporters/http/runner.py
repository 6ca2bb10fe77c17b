"""What comes before any route: a request that can't be read is answered like all others, in JSON;
one that never comes to an end holds nothing but its own connection, and that not for long.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

from exporters.http import connections
from exporters.http.connections import Connection, Room
from exporters.http.gate import GATE

IDLE_SECONDS = 20.0
"""How long an idle connection is kept; a request that has begun may take as long to be whole. No
usual scrape interval, so that a scraper's next request does not meet the end of its connection."""


class _Server(web.Server):
    """Makes a Connection of each."""

    room: Room

    def __call__(self) -> web.RequestHandler:
        return Connection(self, self.room, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """Runs an application so that even what no handler sees is answered in JSON."""

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        server = _Server(made.request_handler, request_factory=made.request_factory, **made._kwargs)
        server.room = Room(self.app[GATE])
        return server


class Site(web.TCPSite):
    """A port that waits for a TLS handshake as long as for a request."""

    async def start(self) -> None:
        """Listen. Raises OSError where the port can't be had."""
        if self._ssl_context is None:
            await super().start()
            return
        await web.BaseSite.start(self)
        server = self._runner.server
        assert server is not None
        self._server = await asyncio.get_running_loop().create_server(
            server,
            self._host,
            self._port,
            ssl=self._ssl_context,
            ssl_handshake_timeout=connections.HEAD_SECONDS,
            backlog=self._backlog,
        )


__all__ = ["IDLE_SECONDS", "Runner", "Site"]
