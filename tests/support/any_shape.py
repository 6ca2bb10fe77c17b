"""Tools for tables of any shape, whatever doctor thinks of them: that is tested elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from monitor.database import create_engine
from monitor.runtime import Runtime, build, inspect_catalogue
from monitor.service.startup import ensure_schema
from tests.support.healing import make_settings
from tests.support.roles import as_service, prepare_for_service


@asynccontextmanager
async def shape_runtime(
    url: str, *, least_privileged: bool = False, **config: object
) -> AsyncIterator[Runtime]:
    """The tools, with the state schema, as the tables' owner or as the service's role."""
    settings = make_settings(url, **config)
    if least_privileged:
        await prepare_for_service(settings)
        settings = make_settings(as_service(url), **config)
    engine = create_engine(settings.database.sqlalchemy_url, pool_size=settings.database.pool_size)
    try:
        examination = await inspect_catalogue(engine, settings)
        assert examination.catalogue is not None
        runtime = build(engine, settings, examination, examination.catalogue)
        await ensure_schema(engine, runtime.state)
        yield runtime
    finally:
        await engine.dispose()
