"""The application on a real socket, with every kind of token configured."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request

from exporters.api import Keyring, Tokens, create_app
from monitor.status import StatusBoard
from tests.unit.exporters.builders import Clock, board
from tests.unit.exporters.recorder import Recorder

ALL_TOKENS = Tokens(admin="the-admin", app="the-app", alert="the-alert", read="the-reader")
BACKFILL = "/api/artworks/backfill-impressions"


@dataclass
class Served:
    """A client, and what stands behind the server."""

    client: TestClient[Request, Application]
    commands: Recorder
    board: StatusBoard
    clock: Clock


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


ADMIN = bearer("the-admin")


@asynccontextmanager
async def serving(
    tokens: Tokens | Keyring = ALL_TOKENS,
    *,
    shown: StatusBoard | None = None,
    observe: bool = False,
    backfills_per_minute: int = 1_000_000,
) -> AsyncIterator[Served]:
    """The application over `shown`, or over a snapshot of a service at work."""
    commands, clock, shown = Recorder(), Clock(), shown or board()
    app = create_app(
        shown,
        commands,
        tokens,
        observe=observe,
        clock=clock,
        backfills_per_minute=backfills_per_minute,
    )
    async with TestClient(TestServer(app)) as client:
        yield Served(client, commands, shown, clock)
