"""App schemas on a server: tables are made once a database, rows last for one transaction."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from psycopg import sql
from sqlalchemy import NullPool
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from checks.catalogue import read_catalogue
from checks.relations import Catalogue
from tests.support.app_schema import AppSchema
from tests.support.galleries import Gallery, micros


@dataclass(frozen=True)
class OpenSchema:
    """A schema's empty tables, what the catalogue says of them, and the connection to use."""

    schema: AppSchema
    catalogue: Catalogue
    connection: AsyncConnection

    @asynccontextmanager
    async def holding(self, gallery: Gallery) -> AsyncIterator[AsyncConnection]:
        """The gallery's rows are there until the context ends; then the tables are empty again."""
        async with self.connection.begin() as transaction:
            await run(self.connection, "; ".join(filling(gallery, self.schema)))
            yield self.connection
            await transaction.rollback()


@asynccontextmanager
async def open_schema(url: str, schema: AppSchema) -> AsyncIterator[OpenSchema]:
    """The schema in a schema of its own, made unless it is there, and what the catalogue says."""
    async with connected(url, schema.name, schema.tables) as connection:
        async with connection.begin():
            catalogue = (await read_catalogue(connection, schema.spec)).require()
        yield OpenSchema(schema, catalogue, connection)


@asynccontextmanager
async def connected(url: str, schema: str, tables: str) -> AsyncIterator[AsyncConnection]:
    """A connection that sees the schema alone, with `tables` made in it unless it is there."""
    engine = create_async_engine(url, poolclass=NullPool, connect_args={"prepare_threshold": None})
    name = sql.Identifier(schema).as_string(None)
    try:
        async with engine.connect() as connection:
            async with connection.begin():
                # Nothing here was ever analysed; compiling a guess takes longer than all the rest.
                await run(connection, f"SET jit = off; SET search_path = {name}")
                found = await connection.exec_driver_sql("SELECT current_schema()")
                if found.scalar() is None:
                    await run(connection, f"CREATE SCHEMA {name}; {tables}")
            yield connection
    finally:
        await engine.dispose()


async def run(connection: AsyncConnection, statements: str) -> None:
    """Runs several statements in one round trip, percent signs and all."""
    await connection.exec_driver_sql(statements, execution_options={"no_parameters": True})


def filling(gallery: Gallery, schema: AppSchema) -> list[str]:
    """The statements that fill the schema's tables."""
    viewed = schema.text(micros(gallery.now))
    people = [
        (schema.key(p.id), schema.text(p.created), p.note, p.team, p.wing) for p in gallery.people
    ]
    pieces = [
        (schema.key(p.id), schema.text(p.created), _key(schema, p.owner), p.note, p.team, p.wing)
        for p in gallery.pieces
    ]
    listings = [
        (_key(schema, one.person), _key(schema, one.piece), schema.text(one.since), one.note)
        for one in gallery.listings
    ]
    views = [(_key(schema, person), _key(schema, piece), viewed) for person, piece in gallery.views]
    filled = [
        _insert(schema.fill_people, ("id", "created", "note", "team", "wing"), people),
        _insert(schema.fill_pieces, ("id", "created", "owner", "note", "team", "wing"), pieces),
        _insert(schema.fill_views, ("person", "piece", "viewed"), views),
        _insert(schema.fill_listings, ("person", "piece", "since", "note"), listings),
    ]
    return [statement for statement in filled if statement] or ["SELECT"]


def _insert(
    statement: str, columns: tuple[str, ...], rows: Sequence[tuple[str | None, ...]]
) -> str:
    """`statement` with `rows` as what it calls `given`."""
    if not rows:
        return ""
    return (
        sql.SQL("WITH given ({}) AS (VALUES {}) {}")
        .format(
            sql.SQL(", ").join(map(sql.Identifier, columns)),
            sql.SQL(", ").join(
                sql.SQL("({})").format(sql.SQL(", ").join(map(sql.Literal, row))) for row in rows
            ),
            sql.SQL(statement),
        )
        .as_string(None)
    )


def _key(schema: AppSchema, number: int | None) -> str | None:
    return None if number is None else schema.key(number)
