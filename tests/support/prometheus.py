"""A real Prometheus over one number that the test sets, and servers that answer badly."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.support.child import ChildProcess
from tests.support.waiting import wait_until

PROGRAM = "/usr/bin/prometheus"
_CONFIGURATION = """
scrape_configs:
  - job_name: app
    scrape_interval: 200ms
    scrape_timeout: 200ms
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


@dataclass
class Gauge:
    """`app_latency_seconds` of the app that is scraped."""

    value: float = 0.0


@asynccontextmanager
async def http_server(
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> AsyncIterator[int]:
    """The port of a server on which `handler` answers every GET."""
    app = web.Application()
    app.router.add_get("/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def prometheus_scraping(gauge: Gauge, folder: Path) -> AsyncIterator[str]:
    """The URL of a Prometheus that scrapes `gauge` and has done so. Skips where there is none."""
    if shutil.which(PROGRAM) is None:
        pytest.skip(f"{PROGRAM} is not installed")

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(text=f"app_latency_seconds {gauge.value}\n")

    async with http_server(metrics) as target:
        port = free_port()
        (folder / "prometheus.yml").write_text(_CONFIGURATION.format(port=target))
        program = ChildProcess(
            [
                PROGRAM,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            output=folder / "prometheus.log",
            directory=folder,
        )
        url = f"http://127.0.0.1:{port}"
        try:
            await wait_until(lambda: _knows(url, "app_latency_seconds"))
            yield url
        finally:
            await asyncio.to_thread(program.kill)


def free_port() -> int:
    """One that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _knows(url: str, metric: str) -> bool:
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{url}/api/v1/query", params={"query": metric}) as response,
        ):
            return bool((await response.json())["data"]["result"])
    except (aiohttp.ClientError, KeyError, ValueError):
        return False
