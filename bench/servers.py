"""A throwaway PostgreSQL server of a size for measuring, and copies of its databases."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from bench.options import Options
from monitor.config import Settings, parse_config
from tests.support.postgres import PostgresServer

_SQL = Path(__file__).parent / "sql"
_SERVER_SETTINGS = {
    "max_wal_size": "16GB",
    "checkpoint_timeout": "1h",
    "maintenance_work_mem": "512MB",
}
_DURABILITY = ("fsync", "full_page_writes", "synchronous_commit")
_FILE_COPY_SINCE = 150000


def bench_server(options: Options) -> PostgresServer:
    """A server to be entered: commits wait for the disk only when `options` ask for it.

    From now on SIGTERM ends this program in order, so that its gigabytes don't stay behind.
    """
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    durability = dict.fromkeys(_DURABILITY, options.durable)
    return PostgresServer(
        options.bin_dir, shared_buffers="512MB", settings={**_SERVER_SETTINGS, **durability}
    )


def statement(name: str) -> sql.SQL:
    """The SQL of a file in `sql/`."""
    return sql.SQL((_SQL / f"{name}.sql").read_text(encoding="utf-8"))


def create_copy(connection: psycopg.Connection, template: str, name: str) -> None:
    """The database `name` as a copy of `template`, file by file where the server can."""
    strategy = " STRATEGY FILE_COPY" if connection.info.server_version >= _FILE_COPY_SINCE else ""
    names = sql.Identifier(name), sql.Identifier(template)
    connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}" + strategy).format(*names))


@contextmanager
def copied(server: PostgresServer, template: str, name: str) -> Iterator[str]:
    """A copy of the database `template` for the length of the block; its name.

    Every contender starts from the same state: nothing in shared buffers, everything written out.
    """
    with dropped(server, name):
        with psycopg.connect(server.conninfo(), autocommit=True) as connection:
            create_copy(connection, template, name)
        os.sync()
        yield name


@contextmanager
def dropped(server: PostgresServer, name: str) -> Iterator[str]:
    """The name of a database that is made within the block and goes with it."""
    try:
        yield name
    finally:
        with psycopg.connect(server.conninfo(), autocommit=True) as connection:
            goes = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
            connection.execute(goes.format(sql.Identifier(name)))


def settings_for(url: str, more: str = "") -> Settings:
    """The product's settings for the database at `url`, with `more` lines of YAML."""
    return parse_config(config_text(url, more), {}, source="the benchmark", base_dir=None)


def config_text(url: str, more: str = "") -> str:
    """A config.yaml for the database at `url`; everything else is the default, or in `more`."""
    # A dollar sign would begin a variable.
    return f"database: {{url: {json.dumps(url.replace('$', '$$'))}}}\n{more}"
