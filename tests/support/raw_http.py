"""The application on its own port, and clients that write bytes as they like."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from exporters.api import Limits, Site
from exporters.refusals import Refusals


@asynccontextmanager
async def port_of(
    app: web.Application,
    *,
    limits: Limits | None = None,
    refusals: Refusals | None = None,
    ssl_context: ssl.SSLContext | None = None,
) -> AsyncIterator[int]:
    """The port on which the application is served within limits."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = Site(
            runner,
            "127.0.0.1",
            0,
            refusals=refusals or Refusals(),
            limits=limits or Limits(),
            ssl_context=ssl_context,
        )
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def connection(
    port: int, ssl_context: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to the port, closed at the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=ssl_context)
    try:
        yield reader, writer
    finally:
        writer.close()


async def exchange(port: int, request: bytes, ssl_context: ssl.SSLContext | None = None) -> str:
    """All that comes back for these bytes, until the server closes the connection."""
    async with connection(port, ssl_context) as (reader, writer), asyncio.timeout(10):
        writer.write(request)
        await writer.drain()
        try:
            return (await reader.read()).decode()
        except ConnectionResetError:
            return ""
