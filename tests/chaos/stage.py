"""Where every case begins: a small gallery of its own, the proxy before it, a config.yaml."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sqlalchemy import make_url

from tests.chaos.audit import KEEP
from tests.chaos.victims import Victim, victim
from tests.chaos.wire import Wire
from tests.support.app import App, app_on
from tests.support.databases import APP, cloned
from tests.support.healing import document, heal, make_runtime
from tests.support.ledger_audit import start_audit
from tests.support.postgres import PostgresServer
from tests.support.roles import as_service

USERS, ARTWORKS, BATCH = 3, 12, 10
LEGACY = USERS * ARTWORKS
"""Impressions that a heal run has to write. Each user takes two batches: ten rows, then two."""
# A slow machine must not change the sizes, or the rehearsal tells nothing.
_PACE = {"max_batch": BATCH, "batch_target": "1500ms"}
_HEALING = {
    "pace": _PACE,
    "breaker": {"max_share": "100%", "max_tracked_drop": "100%"},
}
TOGETHER_USERS, TOGETHER_ARTWORKS = 20, 4
"""Of the gallery that is healed by batches at the same time: each takes two users, but for the
last two; the one in the middle is committed behind another."""
TOGETHER = {"healing": {**_HEALING, "pace": {**_PACE, "writers": 2}}}
AHEAD = {"healing": _HEALING}
"""The same gallery, in which each batch but the first is begun where the one before it has seen."""
LONG_LEASE, SHORT_LEASE = "5m", "2s"
"""The long one outlasts a case: who takes over moves its end, instead of waiting for it, and no
heartbeat comes between the statements that are counted."""


@dataclass(frozen=True)
class Stage:
    """A database, and the way to it through the proxy."""

    directory: Path
    url: str
    app: App
    wire: Wire
    config: Mapping[str, Any]

    def configure(self, *, lease: str = LONG_LEASE) -> None:
        """Write config.yaml; the service reaches the database through the proxy only."""
        wired = make_url(as_service(self.url)).update_query_dict({"host": str(self.directory)})
        known = {"healing": _HEALING, **self.config}
        whole = document(wired.render_as_string(hide_password=False), lease=lease, **known)
        (self.directory / "config.yaml").write_text(json.dumps(whole), encoding="utf-8")

    @contextmanager
    def command(self, *arguments: str) -> Iterator[Victim]:
        """`conservator ARGUMENTS`, in the background."""
        with victim(self.directory, *arguments) as process:
            yield process

    async def expire_leases(self) -> None:
        """Let the time pass that a dead holder's lease has left."""
        await self.app.run(
            "UPDATE conservator.run SET lease_until = now() WHERE lease_until > now()"
        )


@asynccontextmanager
async def planted(server: PostgresServer, *, users: int, artworks: int) -> AsyncIterator[str]:
    """The name of a database to clone: the app's tables filled, our schema made, the audit on."""
    async with cloned_aside(server, APP) as url:
        async with app_on(url) as app:
            await app.plant(users=users, artworks=artworks)
            async with make_runtime(url):
                pass
            await start_audit(app)
        yield str(make_url(url).database)


@asynccontextmanager
async def planted_aside(server: PostgresServer, *, users: int, artworks: int) -> AsyncIterator[str]:
    """The same with a copy of the impressions in place of the audit, whose triggers would make
    batches go one at a time, and in three trips each."""
    async with cloned_aside(server, APP) as url:
        async with app_on(url) as app:
            await app.plant(users=users, artworks=artworks)
            async with make_runtime(url):
                pass
            await app.run(KEEP.format("user_art_impressions"))
        yield str(make_url(url).database)


@asynccontextmanager
async def healed_before(server: PostgresServer) -> AsyncIterator[str]:
    """The name of a database to clone, in which run 1 has healed the small gallery, and of which
    the app has shown every third artwork again since."""
    async with cloned_aside(server, APP) as url:
        async with app_on(url) as app:
            await app.plant(users=USERS, artworks=ARTWORKS)
            async with make_runtime(url, healing=_HEALING) as runtime:
                ended = await heal(runtime)
            assert ended.run.inserted == LEGACY
            await start_audit(app)
            await app.run(
                "UPDATE user_art_impressions SET viewed_at = timezone('UTC', now())"
                " WHERE artwork_id LIKE 'old%' AND right(artwork_id, 4)::int % 3 = 0"
            )
        yield str(make_url(url).database)


@asynccontextmanager
async def stage(
    server: PostgresServer,
    template: str,
    *,
    behind: Path | None = None,
    config: Mapping[str, Any] = MappingProxyType({}),
) -> AsyncIterator[Stage]:
    """A clone of `template`, with a proxy before it. The proxy leads to the server, or to what
    listens in the directory `behind`."""
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        wire = Wire(behind or server.socket_dir)
        async with (
            cloned_aside(server, template) as url,
            app_on(url) as app,
            wire.at(Path(folder)),
        ):
            made = Stage(Path(folder), url, app, wire, config)
            made.configure()
            yield made


@asynccontextmanager
async def cloned_aside(server: PostgresServer, template: str) -> AsyncIterator[str]:
    """The URL of a clone of `template`, made and dropped in a thread.

    DROP DATABASE waits until every session of the server has taken notice. PostgreSQL loses that
    notice in a session whose lock timeout fires at that very moment, until its client speaks again;
    and the clients of the other cases speak through proxies in this event loop.
    """
    clone = cloned(server, template)
    url = await asyncio.to_thread(clone.__enter__)
    try:
        yield url
    finally:
        await asyncio.to_thread(clone.__exit__, None, None, None)
