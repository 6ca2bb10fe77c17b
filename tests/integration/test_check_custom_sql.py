"""The operator's query: one number or an error that says why not, and no way to write."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from checks import custom_sql
from checks.catalogue import read_catalogue
from checks.errors import StatementError
from checks.judgement import Measurement
from checks.spec import CatalogueSpec, Cutoffs, PoolsSpec
from monitor.database import create_engine, snapshot, transaction

PATIENCE = timedelta(seconds=30)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
POOLS = PoolsSpec()
SPEC = CatalogueSpec()
USERS = "SELECT count(*) FROM users"


@pytest.fixture
async def engine(app_database_url: str) -> AsyncIterator[AsyncEngine]:
    """The service's own engine, which takes some errors for a lost connection."""
    made = create_engine(app_database_url, pool_size=2)
    yield made
    await made.dispose()


async def measured(engine: AsyncEngine, query: str) -> Measurement:
    """As a check runs: in a read-only snapshot."""
    async with snapshot(engine, timeout=PATIENCE) as connection:
        catalogue = (await read_catalogue(connection, SPEC)).require()
        cutoffs = Cutoffs.at(NOW, POOLS)
        return await custom_sql.measure(connection, catalogue, POOLS, cutoffs, query=query)


async def execute(engine: AsyncEngine, *statements: str) -> None:
    async with transaction(engine, timeout=PATIENCE) as connection:
        for statement in statements:
            await connection.exec_driver_sql(statement)


async def users(engine: AsyncEngine) -> int:
    async with snapshot(engine, timeout=PATIENCE) as connection:
        return int((await connection.exec_driver_sql(USERS)).scalar_one())


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("SELECT 5", 5),
        ("SELECT count(*) FROM users;", 0),
        (" SELECT 1.5::numeric ; \n", 1.5),
        ("SELECT 0.25::float8", 0.25),
        ("SELECT -7::bigint AS anything -- a comment; of one", -7),
        ("VALUES (3)", 3),
        ("WITH t AS (SELECT 4 AS n) TABLE t", 4),
        ("SELECT 17 % 5 WHERE '100%' LIKE '%0%' AND '%(rows)s {query}' <> '%s'", 2),
        ("SELECT n FROM generate_series(1, 1) AS n ORDER BY n LIMIT 1", 1),
    ],
)
async def test_a_query_brings_its_number(engine: AsyncEngine, query: str, number: float) -> None:
    found = await measured(engine, query)
    assert found.value == number
    assert type(found.value) is float
    assert found.skipped is None


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("SELECT NULL::int", "returned NULL"),
        ("SELECT max(version) FROM art_sessions", "returned NULL"),
        ("SELECT 1 WHERE false", "returned no row"),
        ("SELECT generate_series(1, 1000000000)", "returned several rows"),
        ("SELECT 1, 2", "returned 2 columns"),
        ("SELECT", "returned 0 columns"),
        ("SELECT '5'", "returned a text"),
        ("SELECT true", "returned a boolean"),
        ("SELECT now()", "returned a value of type datetime"),
        ("SELECT interval '1 day'", "returned a value of type timedelta"),
        ("SELECT 'NaN'::float8", "returned nan"),
        ("SELECT 'NaN'::numeric", "returned NaN"),
        ("SELECT 'infinity'::float8", "returned inf"),
        ("SELECT 10::numeric ^ 400", "that is finite"),
    ],
)
async def test_what_is_not_one_number_is_an_error_and_never_a_zero(
    engine: AsyncEngine, query: str, found: str
) -> None:
    with pytest.raises(StatementError) as raised:
        await measured(engine, query)
    assert found in str(raised.value)
    assert "expected one row with one number" in str(raised.value)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1; SELECT 2",
        "SELECT 1; COMMIT; INSERT INTO users DEFAULT VALUES",
        "SELECT 1) AS own; COMMIT; INSERT INTO users DEFAULT VALUES; SELECT * FROM (SELECT 1",
        "INSERT INTO users DEFAULT VALUES RETURNING 1",
        "EXPLAIN SELECT 1",
        "",
    ],
)
async def test_a_query_that_is_not_one_select_is_refused(engine: AsyncEngine, query: str) -> None:
    with pytest.raises(StatementError, match="The query is not one SELECT"):
        await measured(engine, query)
    assert await users(engine) == 0


@pytest.mark.parametrize(
    "query",
    [
        "WITH made AS (INSERT INTO users DEFAULT VALUES RETURNING 1) SELECT count(*) FROM made",
        "SELECT add_user()",
        "SELECT nextval('numbers')",
        "SELECT add_user() FROM (SELECT set_config('transaction_read_only', 'off', true)) AS s",
        "SELECT 1 FROM users FOR UPDATE",
    ],
)
async def test_no_query_writes(engine: AsyncEngine, query: str) -> None:
    await execute(
        engine,
        "CREATE SEQUENCE numbers",
        "CREATE FUNCTION add_user() RETURNS int LANGUAGE sql"
        " AS 'INSERT INTO users DEFAULT VALUES RETURNING 1'",
    )
    with pytest.raises(StatementError, match=r"read.(only|write)|data-modifying"):
        await measured(engine, query)
    assert await users(engine) == 0
    async with snapshot(engine, timeout=PATIENCE) as connection:
        called = await connection.exec_driver_sql("SELECT is_called FROM numbers")
        assert called.scalar_one() is False


async def test_a_transaction_that_may_write_is_refused(engine: AsyncEngine) -> None:
    async with transaction(engine, timeout=PATIENCE) as connection:
        catalogue = (await read_catalogue(connection, SPEC)).require()
        with pytest.raises(StatementError, match="read-only transaction"):
            await custom_sql.measure(
                connection, catalogue, POOLS, Cutoffs.at(NOW, POOLS), query="SELECT 1"
            )


async def test_a_table_that_is_not_there_is_an_error_in_words(engine: AsyncEngine) -> None:
    with pytest.raises(StatementError, match='relation "nowhere" does not exist'):
        await measured(engine, "SELECT count(*) FROM nowhere")


async def test_where_row_security_hides_rows_the_answer_says_so(
    engine: AsyncEngine, app_database_url: str
) -> None:
    url = make_url(app_database_url).set(username="asking_of_tests")
    await execute(
        engine,
        "CREATE TABLE notes (id int)",
        "INSERT INTO notes VALUES (1), (2)",
        "CREATE ROLE asking_of_tests LOGIN",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO asking_of_tests",
    )
    asking = create_engine(url.render_as_string(hide_password=False), pool_size=1)
    query = "SELECT count(*) FROM notes"
    try:
        assert (await measured(asking, query)).message == "The query returned 2."
        await execute(engine, "ALTER TABLE notes ENABLE ROW LEVEL SECURITY")
        hidden = await measured(asking, query)
        assert hidden.value == 0
        assert "rows that are hidden from the role are left out" in hidden.message
        await execute(engine, "CREATE POLICY all_rows ON notes USING (true)")
        assert (await measured(asking, query)).value == 2
    finally:
        await asking.dispose()
        await execute(engine, "DROP OWNED BY asking_of_tests", "DROP ROLE asking_of_tests")
