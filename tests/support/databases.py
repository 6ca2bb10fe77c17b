"""Databases on a test server: templates, clones, and their end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import psycopg
from psycopg import sql

from monitor.demo.gallery import SCHEMA
from tests.support.postgres import PostgresServer

EMPTY = "template0"
APP = "template_app"
PREPARED = "template_prepared"
"""As APP, prepared for a service by its owner; made when it is first asked for."""
_FILE_COPY_SINCE = 150000  # server_version_num; copying files takes a quarter of the default's time
_numbers = count(1)


def create_app_template(server: PostgresServer) -> None:
    """Makes the database that every clone with the app's tables comes from."""
    create_database(server, APP, EMPTY)
    with psycopg.connect(server.conninfo(APP)) as connection:
        connection.execute(SCHEMA.read_bytes())


@contextmanager
def cloned(server: PostgresServer, template: str) -> Iterator[str]:
    """The URL of a new database like `template`, dropped in the end whoever is connected."""
    name = f"test_{next(_numbers)}"
    create_database(server, name, template)
    try:
        yield server.url(name)
    finally:
        execute(server, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def execute(server: PostgresServer, statement: sql.Composed, database: str = "postgres") -> None:
    """Runs one statement outside of a transaction, as the superuser."""
    with psycopg.connect(server.conninfo(database), autocommit=True) as connection:
        connection.execute(statement)


def create_database(server: PostgresServer, name: str, template: str) -> None:
    """A new database like `template`, to which nobody may be connected."""
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        quick = connection.info.server_version >= _FILE_COPY_SINCE
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} {}").format(
                sql.Identifier(name),
                sql.Identifier(template),
                sql.SQL("STRATEGY file_copy" if quick else ""),
            )
        )
