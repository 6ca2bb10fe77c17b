"""Servers for the session, a database for each test."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import settings
from sqlalchemy import NullPool
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tests.support.databases import APP, EMPTY, cloned, create_app_template
from tests.support.postgres import PostgresServer
from tests.support.servers import EMBEDDED, ServerKind, server_kinds

# A busy machine fails no test.
settings.register_profile("without deadline", settings(), deadline=None)
settings.load_profile("without deadline")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What runs on another server than the embedded one is `long`, too."""
    for item in items:
        if isinstance(item, pytest.Function) and _server_of(item) not in (None, EMBEDDED):
            item.add_marker("long")


def pytest_collection_finish() -> None:
    """What is loaded by now stays to the end: to search it for garbage, again and again, takes a
    tenth of the tests' own time, half a second at once."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", params=server_kinds(), ids=lambda kind: kind.name)
def server(request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    """A running server; a test that uses it runs once on each kind that is installed."""
    kind: ServerKind = request.param
    with started(kind) as running:
        create_app_template(running)
        yield running


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """An embedded server for one test alone, which may restart or kill it."""
    with started(EMBEDDED) as running:
        yield running


@pytest.fixture
def database_url(server: PostgresServer) -> Iterator[str]:
    """The URL of an empty database of the test's own."""
    with cloned(server, EMPTY) as url:
        yield url


@pytest.fixture
def app_database_url(server: PostgresServer, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database of the test's own with the app's tables, without rows. With the mark
    `prepared`, its owner has prepared it for a service already."""
    template = APP if request.node.get_closest_marker("prepared") is None else _prepared(server)
    with cloned(server, template) as url:
        yield url


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """An engine on the empty database."""
    async for made in _engine(database_url):
        yield made


@pytest.fixture
async def app_engine(app_database_url: str) -> AsyncIterator[AsyncEngine]:
    """An engine on the database with the app's tables."""
    async for made in _engine(app_database_url):
        yield made


def _server_of(item: pytest.Function) -> ServerKind | None:
    kind = item.callspec.params.get("server") if hasattr(item, "callspec") else None
    return kind if isinstance(kind, ServerKind) else None


def _prepared(server: PostgresServer) -> str:
    # What it takes is loaded by tests that need it.
    from tests.support.healing import prepared_template

    return prepared_template(server)


def started(kind: ServerKind) -> PostgresServer:
    """A server to be entered; skips the test where it isn't installed."""
    if kind.missing is not None:
        pytest.skip(kind.missing)
    return kind.server()


async def _engine(url: str) -> AsyncIterator[AsyncEngine]:
    made = create_async_engine(url, poolclass=NullPool, connect_args={"prepare_threshold": None})
    try:
        yield made
    finally:
        await made.dispose()
