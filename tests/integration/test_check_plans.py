"""The checks' plans on a gallery of some size: indexes answer, and no sort sees the whole table."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg
import pytest
from sqlalchemy import NullPool
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from checks import row_faults, supply
from checks.catalogue import read_catalogue
from checks.judgement import Measurement
from checks.page_visits import MOST_BITMAP
from checks.relations import Catalogue
from checks.spec import (
    ArtworksSpec,
    CatalogueSpec,
    Cutoffs,
    ImpressionsSpec,
    PoolsSpec,
    SqlMoment,
    UsersSpec,
)
from tests.support.databases import APP, cloned
from tests.support.open_schema import run
from tests.support.postgres import PostgresServer
from tests.support.query_plans import Node, plans_of

USERS, ARTWORKS = 40, 5000
POOLS = PoolsSpec()
PLAIN = CatalogueSpec()
_FILL = f"""
SET session_replication_role = replica;
INSERT INTO users (id) SELECT md5('user ' || n) FROM generate_series(1, {USERS}) AS n;
INSERT INTO art_sessions (id, session_id, image_url, created_at)
SELECT md5('artwork ' || n), n, n,
    timezone('UTC', now()) - make_interval(secs => 86400.0 * 600 * n / {ARTWORKS})
FROM generate_series(1, {ARTWORKS}) AS n;
INSERT INTO user_art_impressions (user_id, artwork_id, viewed_at)
SELECT u.id, a.id, a.created_at FROM art_sessions AS a CROSS JOIN users AS u;
"""
"""Everybody has seen everything at once: 200,000 impressions, in the order of viewing. Foreign keys
are not asked (the role of a replica), which would take most of the time."""

_IMPRESSIONS = "ALTER TABLE user_art_impressions"
_LOOSE = (
    f"{_IMPRESSIONS} DROP CONSTRAINT user_art_impressions_user_id_fkey;"
    f" {_IMPRESSIONS} DROP CONSTRAINT user_art_impressions_artwork_id_fkey"
)
_NOT_UNIQUE = "DROP INDEX user_art_impressions_unique_user_artwork"

_PARALLEL = (
    "SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0;"
    " SET LOCAL min_parallel_table_scan_size = 0; SET LOCAL min_parallel_index_scan_size = 0"
)
_SCATTERED = (
    "CREATE TEMPORARY TABLE scattered AS SELECT * FROM user_art_impressions ORDER BY random();"
    " TRUNCATE user_art_impressions; INSERT INTO user_art_impressions SELECT * FROM scattered;"
    " UPDATE art_sessions SET created_at = timezone('UTC', now()) WHERE random() < 0.1;"
    " ANALYZE user_art_impressions, art_sessions"
)
"""Of each page, some impressions are of young artworks."""

Measure = Callable[[AsyncConnection, Catalogue, Cutoffs], Awaitable[Measurement]]


@dataclass(frozen=True)
class Case:
    """A check on the app's tables after a change, and the indexes of which it must use one each."""

    name: str
    measure: Measure
    indexes: tuple[tuple[str, ...], ...] = ()
    change: str = "SELECT"
    spec: CatalogueSpec = PLAIN
    scans: tuple[str, ...] = ()
    """Tables that may be read as a whole."""


_BY_USER = ("user_art_impressions_user_id_idx", "user_art_impressions_unique_user_artwork")
_BY_ARTWORK = ("user_art_impressions_artwork_id_idx", "user_art_impressions_unique_user_artwork")
_OF_CREATION = "to_timestamp(extract(epoch FROM created_at))"
_OF_VIEWING = "to_timestamp(extract(epoch FROM viewed_at))"
_BY_CREATION = ("art_sessions_created_at_idx",)


async def _exhaustion(
    connection: AsyncConnection, catalogue: Catalogue, cutoffs: Cutoffs
) -> Measurement:
    return await supply.measure_pool(connection, catalogue, POOLS, cutoffs, minimum=5)


CASES = (
    Case(
        "duplicates, an index on (user, artwork)",
        lambda c, catalogue, b: row_faults.measure_duplicates(c, catalogue, POOLS, b),
        indexes=(("pairs",),),
        change=f"{_NOT_UNIQUE}; CREATE INDEX pairs ON user_art_impressions (user_id, artwork_id)",
    ),
    Case(
        "duplicates, an index on (artwork, user)",
        lambda c, catalogue, b: row_faults.measure_duplicates(c, catalogue, POOLS, b),
        indexes=(("pairs",),),
        change=f"{_NOT_UNIQUE}; CREATE INDEX pairs ON user_art_impressions (artwork_id, user_id)",
    ),
    Case(
        "orphans",
        lambda c, catalogue, b: row_faults.measure_orphans(c, catalogue, POOLS, b),
        indexes=(_BY_USER, _BY_ARTWORK),
        change=_LOOSE,
        scans=("users", "art_sessions"),
    ),
    Case(
        "timestamps",
        lambda c, catalogue, b: row_faults.measure_timestamps(c, catalogue, POOLS, b),
        indexes=(("user_art_impressions_viewed_at_idx",), _BY_CREATION),
        scans=("art_sessions", "user_art_impressions"),
    ),
    Case(
        "timestamps, an index on (artwork, viewed_at)",
        lambda c, catalogue, b: row_faults.measure_timestamps(c, catalogue, POOLS, b),
        indexes=(("views",),),
        change="CREATE INDEX views ON user_art_impressions (artwork_id, viewed_at)",
        scans=("art_sessions",),
    ),
    Case(
        "exhaustion",
        _exhaustion,
        indexes=(_BY_ARTWORK, _BY_CREATION),
        scans=("users",),
    ),
    Case(
        "exhaustion, users' age",
        _exhaustion,
        spec=CatalogueSpec(users=UsersSpec(created_at="created_at")),
        scans=("users", "art_sessions", "user_art_impressions"),
    ),
    Case(
        "exhaustion, owners",
        _exhaustion,
        indexes=(_BY_CREATION,),
        change="UPDATE art_sessions SET user_id = md5('user 1')",
        spec=CatalogueSpec(artworks=ArtworksSpec(owner="user_id")),
        scans=("users",),
    ),
    Case(
        "supply",
        lambda c, catalogue, b: supply.measure_supply(c, catalogue, POOLS, b),
        indexes=(_BY_CREATION,),
    ),
    Case(
        "supply, an index on an expression",
        lambda c, catalogue, b: supply.measure_supply(c, catalogue, POOLS, b),
        indexes=(("moments",),),
        change=f"CREATE INDEX moments ON art_sessions ({_OF_CREATION}); ANALYZE art_sessions",
        spec=CatalogueSpec(artworks=ArtworksSpec(created_at=SqlMoment(_OF_CREATION))),
    ),
    Case(
        "timestamps, an index on an expression",
        lambda c, catalogue, b: row_faults.measure_timestamps(c, catalogue, POOLS, b),
        indexes=(("moments",), _BY_CREATION),
        change=f"CREATE INDEX moments ON user_art_impressions ({_OF_VIEWING});"
        " ANALYZE user_art_impressions",
        spec=CatalogueSpec(impressions=ImpressionsSpec(viewed_at=SqlMoment(_OF_VIEWING))),
        scans=("art_sessions", "user_art_impressions"),
    ),
)


@pytest.fixture(scope="module")
def url(server: PostgresServer) -> Iterator[str]:
    """The app's tables with 200,000 impressions; whatever a test changes is rolled back."""
    with cloned(server, APP) as made:
        asyncio.run(_fill(made))
        yield made


async def _fill(url: str) -> None:
    plain = url.replace("postgresql+psycopg://", "postgresql://")
    async with await psycopg.AsyncConnection.connect(plain, autocommit=True) as connection:
        await connection.execute(_FILL)
        await connection.execute("VACUUM (ANALYZE) users, art_sessions, user_art_impressions")


@asynccontextmanager
async def changed(url: str, statements: str) -> AsyncIterator[AsyncConnection]:
    """A transaction with the change, taken back in the end."""
    engine = create_async_engine(url, poolclass=NullPool, connect_args={"prepare_threshold": None})
    try:
        async with engine.connect() as connection, connection.begin() as transaction:
            # As much memory a row as 4 MB, the default, are for millions.
            settings = "SET LOCAL jit = off; SET LOCAL work_mem = '128kB'"
            await run(connection, f"{settings}; {statements}")
            yield connection
            await transaction.rollback()
    finally:
        await engine.dispose()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_indexes_answer_and_no_sort_sees_the_whole_table(url: str, case: Case) -> None:
    async with changed(url, case.change) as connection:
        catalogue = (await read_catalogue(connection, case.spec)).require()
        now = (await connection.exec_driver_sql("SELECT now()")).scalar_one()
        cutoffs = Cutoffs.at(now, POOLS)
        found = await case.measure(connection, catalogue, cutoffs)
        plans = await plans_of(connection, lambda: case.measure(connection, catalogue, cutoffs))
    assert found.skipped is None
    nodes = [node for plan in plans for node in plan.walk()]
    used = {node.index for node in nodes}
    for one_of in case.indexes:
        assert used & set(one_of), f"none of {one_of} among {used}"
    scanned = {node.relation for node in nodes if node.kind == "Seq Scan"}
    assert scanned <= set(case.scans)
    assert [node for node in nodes if sorts_much(node)] == []


@pytest.mark.parametrize(
    ("most_bitmap", "most_young", "visited"),
    [
        (MOST_BITMAP, supply.MOST_YOUNG, True),
        (0, supply.MOST_YOUNG, False),
        (MOST_BITMAP, 99, False),
    ],
)
@pytest.mark.long
async def test_young_impressions_are_visited_where_they_are_few_and_their_pages_are_remembered(
    url: str, monkeypatch: pytest.MonkeyPatch, most_bitmap: int, most_young: int, visited: bool
) -> None:
    monkeypatch.setattr(supply, "MOST_BITMAP", most_bitmap)
    monkeypatch.setattr(supply, "MOST_YOUNG", most_young)
    # Of so few users the unique index would be gone through, one after the other.
    settings = f"SET LOCAL work_mem = '64kB'; SET LOCAL enable_indexonlyscan = off; {_PARALLEL}"
    async with changed(url, f"{settings}; {_SCATTERED}") as connection:
        nodes = await _exhaustion_nodes(connection)
        (memory,) = await connection.exec_driver_sql("SHOW work_mem")
    shown = [node for node in nodes if node.relation == "user_art_impressions"]
    of_young = [n for n in shown if "ANY ('{" in n.condition and n.kind == "Bitmap Heap Scan"]
    assert [node.lossy_pages for node in of_young] == ([0] if visited else [])
    # What was set before comes back.
    assert memory[0] == "64kB"
    # Several processes would remember the pages in memory that they share.
    assert visited is not any("Gather" in node.kind for node in nodes)


async def test_how_often_young_artworks_were_seen_is_read_from_an_index(url: str) -> None:
    async with changed(url, "SELECT") as connection:
        catalogue = (await read_catalogue(connection, PLAIN)).require()
        now = (await connection.exec_driver_sql("SELECT now()")).scalar_one()
        values = supply.pool_parameters(Cutoffs.at(now, POOLS), 5)
        asked = supply.pool_sql(catalogue, POOLS)
        young = [row.id for row in await connection.exec_driver_sql(asked[supply.YOUNG], values)]
        seen = asked[supply.YOUNG_SEEN]
        (plan,) = await plans_of(
            connection, lambda: connection.exec_driver_sql(seen, {"young": young})
        )
    nodes = [node for node in plan.walk() if node.relation == "user_art_impressions" or node.index]
    assert young
    assert {node.index for node in nodes if node.index} <= set(_BY_ARTWORK)
    assert not [node for node in nodes if node.kind == "Seq Scan"]


async def test_an_index_that_can_not_answer_makes_no_list_to_go_through_for_each_impression(
    url: str,
) -> None:
    change = (
        "DROP INDEX user_art_impressions_artwork_id_idx;"
        ' CREATE INDEX ON user_art_impressions (artwork_id COLLATE "C");'
        ' ALTER TABLE art_sessions ALTER COLUMN id TYPE text COLLATE "POSIX"'
    )
    async with changed(url, f"{_LOOSE}; {change}; {_SCATTERED}") as connection:
        nodes = await _exhaustion_nodes(connection)
    listed = [node.condition for node in nodes if "= ANY" in node.condition]
    assert listed
    # What is not known before the plan is made is compared one after the other.
    assert not [one for one in listed if "ANY ('{" not in one]


async def _exhaustion_nodes(connection: AsyncConnection) -> list[Node]:
    """Of the statement that counts: the last one that reads a table."""
    catalogue = (await read_catalogue(connection, PLAIN)).require()
    now = (await connection.exec_driver_sql("SELECT now()")).scalar_one()
    cutoffs = Cutoffs.at(now, POOLS)
    plans = await plans_of(connection, lambda: _exhaustion(connection, catalogue, cutoffs))
    reading = [plan for plan in plans if any(node.relation for node in plan.walk())]
    return list(reading[-1].walk())


def sorts_much(node: Node) -> bool:
    """Whether it sorts more than a tenth of the impressions."""
    rows = sum(child.rows for child in node.children)
    return "Sort" in node.kind and rows > USERS * ARTWORKS / 10


async def test_the_supply_reads_the_end_of_the_index_and_no_more(url: str) -> None:
    async with changed(url, "SELECT") as connection:
        catalogue = (await read_catalogue(connection, PLAIN)).require()
        now = (await connection.exec_driver_sql("SELECT now()")).scalar_one()
        cutoffs = Cutoffs.at(now, POOLS)
        (plan,) = await plans_of(
            connection,
            lambda: supply.measure_supply(connection, catalogue, POOLS, cutoffs),
        )
    (scan,) = [node for node in plan.walk() if node.index == "art_sessions_created_at_idx"]
    assert scan.backward
    assert scan.rows == 1
