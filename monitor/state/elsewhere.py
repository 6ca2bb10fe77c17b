"""Runs whose rows lie in another table than the configured one, because that was changed since."""

from __future__ import annotations

from psycopg import sql
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.catalogue import parse_name
from checks.kept_catalogue import KeptCatalogue
from checks.relations import Catalogue, Relation
from checks.spec import CatalogueSpec
from checks.statements import render

_PACKAGE = "monitor.state"


async def impressions_elsewhere(
    connection: AsyncConnection, catalogue: Catalogue, state_schema: str
) -> list[int]:
    """The runs that wrote to another table than the present one, or by other columns of a pair."""
    return [
        run
        for spec, runs in await _kept(connection, state_schema)
        if spec is None or not _same_impressions(spec, catalogue)
        for run in runs
    ]


async def users_elsewhere(
    connection: AsyncConnection, catalogue: Catalogue, state_schema: str
) -> list[int]:
    """The runs whose users are those of another table than the present one, or column."""
    return [
        run
        for spec, runs in await _kept(connection, state_schema)
        if spec is None or not _same_users(spec, catalogue)
        for run in runs
    ]


async def lists_any(connection: AsyncConnection, state_schema: str, runs: list[int]) -> bool:
    """Whether the ledger has a row of one of the runs."""
    text = render(_PACKAGE, "ledger_of_runs", {"state": sql.Identifier(state_schema)})
    found: bool = (await connection.exec_driver_sql(text, {"runs": runs})).scalar_one()
    return found


async def _kept(
    connection: AsyncConnection, state_schema: str
) -> list[tuple[CatalogueSpec | None, list[int]]]:
    """What runs were planned over, each with its runs; None where a newer version planned them."""
    text = render(_PACKAGE, "runs_by_catalogue", {"state": sql.Identifier(state_schema)})
    kept = [
        (KeptCatalogue.read(row.catalogue), list(row.runs))
        for row in await connection.exec_driver_sql(text)
    ]
    return [(None if one is None else one.spec, runs) for one, runs in kept]


def _same_impressions(spec: CatalogueSpec, catalogue: Catalogue) -> bool:
    then, now = spec.impressions, catalogue.spec.impressions
    return (then.user, then.artwork) == (now.user, now.artwork) and _same_table(
        then.table, catalogue.impressions
    )


def _same_users(spec: CatalogueSpec, catalogue: Catalogue) -> bool:
    same = spec.users.id == catalogue.spec.users.id
    return same and _same_table(spec.users.table, catalogue.users)


def _same_table(then: str, relation: Relation) -> bool:
    """Whether a configured name certainly means this relation."""
    schema, name = parse_name(then)
    if schema is None:
        return then == relation.configured
    return (schema, name) == (relation.schema, relation.name)
