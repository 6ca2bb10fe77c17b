"""Whatever settings a role carries: the same numbers, or a refusal in one sentence."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import make_url

from checks.errors import ConservatorError
from checks.pipeline import Statement
from monitor.checking.expectations.worker import WorkerPool
from monitor.database import at_once, create_engine, snapshot, transaction
from monitor.deadlines import STATE_TIMEOUT
from tests.support.app import conninfo
from tests.support.commands import on_one_server
from tests.support.databases import APP, cloned
from tests.support.extras import require_expectations
from tests.support.pgbouncer import bouncing
from tests.support.postgres import PostgresServer
from tests.support.role_settings import Gallery, Numbers, gallery_of

require_expectations()
pytestmark = on_one_server

ODD = {
    "DateStyle": "SQL, DMY",
    "IntervalStyle": "sql_standard",
    "bytea_output": "escape",
    "extra_float_digits": "-15",
    "TimeZone": "Asia/Kathmandu",
    "client_encoding": "LATIN1",
    "standard_conforming_strings": "off",
    "backslash_quote": "off",
    "quote_all_identifiers": "on",
    "array_nulls": "off",
    "transform_null_equals": "on",
    "exit_on_error": "on",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "lock_timeout": "1ms",
    "idle_in_transaction_session_timeout": "500ms",
    "transaction_timeout": "500ms",
    "row_security": "off",
    "client_min_messages": "debug5",
    "debug_print_plan": "on",
    "jit_above_cost": "0",
    "enable_hashjoin": "off",
    "plan_cache_mode": "force_generic_plan",
    "check_function_bodies": "off",
    "default_tablespace": "pg_default",
    "application_name": 'somebody\'s "other"',
    "synchronous_commit": "off",
    "work_mem": "64kB",
}
"""The interesting ones; `make fuzz` tries all that there are."""
PINNED = {
    "DateStyle": "ISO, MDY",
    "standard_conforming_strings": "on",
    "array_nulls": "on",
    "quote_all_identifiers": "off",
    "exit_on_error": "off",
    "transaction_isolation": "read committed",
    "lock_timeout": "0",
    "jit": "off",
    "transaction_timeout": "0",
    "client_encoding": "UTF8",
    "application_name": "conservator",
}


@pytest.fixture(scope="module")
def gallery(server: PostgresServer, suites_worker: WorkerPool) -> Iterator[Gallery]:
    with cloned(server, APP) as url:
        yield asyncio.run(gallery_of(url, suites_worker))


@pytest.fixture(scope="module")
def usual(gallery: Gallery) -> Numbers:
    return asyncio.run(gallery.numbers())


def known(gallery: Gallery, odd: dict[str, str]) -> dict[str, str]:
    """Those that this version of the server has."""
    with psycopg.connect(conninfo(gallery.url)) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM pg_settings")}
    return {name: value for name, value in odd.items() if name in names}


async def test_odd_settings_of_a_role_change_no_number(gallery: Gallery, usual: Numbers) -> None:
    assert usual.written == ((20, 20), (20, 20))
    with gallery.altered(known(gallery, ODD)):
        assert await gallery.numbers() == usual


async def test_nor_do_they_through_pgbouncer(
    gallery: Gallery, usual: Numbers, server: PostgresServer
) -> None:
    with gallery.altered(known(gallery, ODD)), bouncing(server, pool_size=2) as bouncer:
        assert await gallery.numbers(bouncer.url(gallery.url)) == usual


async def test_every_transaction_pins_what_it_depends_on(gallery: Gallery) -> None:
    pinned = known(gallery, PINNED)
    asked = ", ".join(f"current_setting('{name}')" for name in pinned)
    engine = create_engine(gallery.settings[0].database.sqlalchemy_url, pool_size=1)
    try:
        with gallery.altered(known(gallery, ODD)):
            async with transaction(engine) as connection:
                wrote = (await connection.exec_driver_sql(f"SELECT {asked}")).one()
            async with snapshot(engine, timeout=STATE_TIMEOUT) as connection:
                read = (await connection.exec_driver_sql(f"SELECT {asked}")).one()
            ((once,),) = await at_once(engine, Statement(f"SELECT {asked}"), timeout=STATE_TIMEOUT)
    finally:
        await engine.dispose()
    assert dict(zip(pinned, wrote, strict=True)) == pinned
    assert dict(zip(pinned, once, strict=True)) == pinned
    isolated = {**pinned, "transaction_isolation": "repeatable read"}
    assert dict(zip(pinned, read, strict=True)) == isolated


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        ({"default_transaction_read_only": "on"}, "read_only"),
        ({"session_replication_role": "replica"}, "session_replication_role"),
        ({"search_path": "pg_catalog"}, "users"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_makes_work_impossible_is_refused_in_one_sentence(
    gallery: Gallery, odd: dict[str, str], words: str
) -> None:
    with gallery.altered(odd), pytest.raises(ConservatorError) as refused:
        await gallery.numbers()
    assert words in str(refused.value)


async def test_a_superuser_writes_under_foreign_keys_and_triggers(gallery: Gallery) -> None:
    engine = create_engine(gallery.url, pool_size=1)
    name = make_url(gallery.url).database
    alter = f"ALTER ROLE postgres IN DATABASE {name} SET session_replication_role = 'replica'"
    try:
        with psycopg.connect(conninfo(gallery.url), autocommit=True) as connection:
            connection.execute(alter.encode())
        async with transaction(engine) as connection:
            shown = await connection.exec_driver_sql("SHOW session_replication_role")
            assert shown.scalar_one() == "origin"
    finally:
        await engine.dispose()
        with psycopg.connect(conninfo(gallery.url), autocommit=True) as connection:
            connection.execute(f"ALTER ROLE postgres IN DATABASE {name} RESET ALL".encode())
