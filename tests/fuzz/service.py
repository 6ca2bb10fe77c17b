"""The service on a gallery, with every token."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.fuzz.callers import TOKENS
from tests.support.commands import Running, Workplace, gallery_at


@asynccontextmanager
async def serving(url: str, directory: Path) -> AsyncIterator[tuple[Workplace, Running]]:
    """Once it has counted, until it is told to stop; what nobody foresaw did not happen."""
    server = {"port": 0, "backfills_a_minute": None, **TOKENS}
    work = await gallery_at(url, directory, server=server)
    with work.started("serve") as service:
        client = service.client()
        service.until(lambda: client.get("api/artworks/stats").status == 200)
        yield work, service
        assert client.get("healthz").status == 200
        assert service.events("request_failed") == []
        assert service.stop().code == 0
