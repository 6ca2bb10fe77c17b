"""A gallery on a server that writes its plans down, and what is recorded for its size."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.gallery import Shape, build_shape
from tests.plans.log import SETTINGS
from tests.plans.program import Program, Seen
from tests.plans.record import Plans, from_json
from tests.support.postgres import PostgresServer

RECORDED = Path(__file__).with_name("plans.json")
SMALL = Shape(users=700, artworks=700, missing=0.02)
"""Half a million pairs: in `make test`."""
LARGE = Shape(users=3000, artworks=3000, missing=0.02)
"""Nine million: `make plans`."""
DATABASE = "gallery_plans"


@contextmanager
def plan_server() -> Iterator[PostgresServer]:
    """The embedded server with its own defaults, but for loading; its log holds the plans."""
    loading = {"max_wal_size": "8GB", "checkpoint_timeout": "1h", "maintenance_work_mem": "512MB"}
    settings = {**SETTINGS, **loading}
    with PostgresServer(shared_buffers="128MB", settings=settings) as server:
        yield server


def observe(server: PostgresServer, shape: Shape, *, change: str = "") -> Seen:
    """Build a gallery, let the product do everything on it; the plans. `change` is SQL for the
    database before. In the small one our own tables are thought to be empty: a plan has to be right
    before an ANALYZE knows of a run, too."""
    build_shape(server, DATABASE, shape)
    return asyncio.run(Program(server, DATABASE, change=change, stale=shape == SMALL).perform())


def key(shape: Shape) -> str:
    """How a size is called in the file."""
    return f"{shape.users} users, {shape.artworks} artworks"


def recorded(shape: Shape) -> Plans:
    """What is recorded for galleries of this size; nothing where nobody has."""
    return from_json(_read().get(key(shape), {}))


def record(shape: Shape, plans: Plans) -> None:
    """Put `plans` in the place of what was recorded for this size."""
    acts = {
        act: {name: one.as_json() for name, one in sorted(statements.items())}
        for act, statements in plans.items()
    }
    RECORDED.write_text(json.dumps({**_read(), key(shape): acts}, indent=1) + "\n")


def _read() -> dict[str, Any]:
    if not RECORDED.exists():
        return {}
    read: dict[str, Any] = json.loads(RECORDED.read_text(encoding="utf-8"))
    return read
