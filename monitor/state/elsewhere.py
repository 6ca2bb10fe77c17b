"""Runs whose rows lie in another table than the configured one, because that was changed since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.catalogue import parse_name
from checks.kept_catalogue import KeptCatalogue
from checks.relations import Catalogue, Relation
from checks.spec import CatalogueSpec
from checks.statements import render

_PACKAGE = "monitor.state"


@dataclass(frozen=True, slots=True)
class _Kept:
    """What some runs were planned over."""

    spec: CatalogueSpec | None
    """None where a newer version planned them."""
    impressions_oid: int | None
    users_oid: int | None
    runs: list[int]


async def impressions_elsewhere(
    connection: AsyncConnection, catalogue: Catalogue, state_schema: str
) -> list[int]:
    """The runs that wrote to another table than the present one, or by other columns of a pair."""
    return [
        run
        for one in await _kept(connection, state_schema)
        if not await _same_impressions(connection, one, catalogue)
        for run in one.runs
    ]


async def users_elsewhere(
    connection: AsyncConnection, catalogue: Catalogue, state_schema: str
) -> list[int]:
    """The runs whose users are those of another table than the present one, or column."""
    return [
        run
        for one in await _kept(connection, state_schema)
        if not await _same_users(connection, one, catalogue)
        for run in one.runs
    ]


async def lists_any(connection: AsyncConnection, state_schema: str, runs: list[int]) -> bool:
    """Whether the ledger has a row of one of the runs."""
    text = render(_PACKAGE, "ledger_of_runs", {"state": sql.Identifier(state_schema)})
    found: bool = (await connection.exec_driver_sql(text, {"runs": runs})).scalar_one()
    return found


def is_same_renamed(spec: CatalogueSpec, oid: int | None, catalogue: Catalogue) -> bool:
    """Whether the present names find what a run of these settings wrote: to the table `oid`, where
    pair and moment tell its rows, then and now. A column may have another name where the one of
    then is gone."""
    then, now = spec.impressions, catalogue.spec.impressions
    return (
        oid == catalogue.impressions.oid
        and then.is_plain
        and now.is_plain
        and spec.timezone == catalogue.spec.timezone
        and _same_columns(then.filled, now.filled, catalogue.impressions)
    )


def _same_columns(then: Sequence[str], now: Sequence[str], relation: Relation) -> bool:
    return all(
        one == other or one not in relation.columns for one, other in zip(then, now, strict=True)
    )


async def _kept(connection: AsyncConnection, state_schema: str) -> list[_Kept]:
    text = render(_PACKAGE, "runs_by_catalogue", {"state": sql.Identifier(state_schema)})
    found = []
    for row in await connection.exec_driver_sql(text):
        kept = KeptCatalogue.read(row.catalogue)
        spec = None if kept is None else kept.spec
        found.append(_Kept(spec, row.impressions_oid, row.users_oid, list(row.runs)))
    return found


async def _same_impressions(connection: AsyncConnection, kept: _Kept, catalogue: Catalogue) -> bool:
    if kept.spec is None:
        return False
    then, now = kept.spec.impressions, catalogue.spec.impressions
    pair, present = (then.user, then.artwork), (now.user, now.artwork)
    if kept.impressions_oid == catalogue.impressions.oid:
        return _same_columns(pair, present, catalogue.impressions)
    if pair != present or await _name_of(connection, kept.impressions_oid) is not None:
        return False
    return await _is_named(connection, then.table, catalogue.impressions)


async def _same_users(connection: AsyncConnection, kept: _Kept, catalogue: Catalogue) -> bool:
    if kept.spec is None:
        return False
    then, now = kept.spec.users, catalogue.spec.users
    if kept.users_oid == catalogue.users.oid:
        return _same_columns([then.id], [now.id], catalogue.users)
    if then.id != now.id or await _name_of(connection, kept.users_oid) is not None:
        return False
    return await _is_named(connection, then.table, catalogue.users)


async def _is_named(connection: AsyncConnection, then: str, relation: Relation) -> bool:
    """Whether a configured name means this relation now, however it is spelled."""
    return then == relation.configured or await _named(connection, then) == relation.oid


async def renamed(connection: AsyncConnection, then: str, oid: int | None) -> str | None:
    """What the relation `oid` is called now, as the configuration would have it; None where it is
    not there any more, and where its name of then means it still."""
    return None if await _named(connection, then) == oid else await _name_of(connection, oid)


async def is_taken(connection: AsyncConnection, then: str, oid: int | None) -> bool:
    """Whether the name `then` means another relation than `oid` now."""
    return await _named(connection, then) not in (None, oid)


async def replaced_by(
    connection: AsyncConnection, then: str, oid: int | None, present: Relation
) -> str | None:
    """What the relation `oid` is called now, where its name of then means the `present` one, so
    that nobody but a person can say which of the two holds the rows; else None."""
    is_named = await _is_named(connection, then, present)
    return await _name_of(connection, oid) if is_named else None


async def _name_of(connection: AsyncConnection, oid: int | None) -> str | None:
    if oid is None:
        return None
    text = render(_PACKAGE, "relation_name", {})
    name: str | None = (await connection.exec_driver_sql(text, {"oid": oid})).scalar_one_or_none()
    return name


async def _named(connection: AsyncConnection, configured: str) -> int | None:
    schema, name = parse_name(configured)
    values = {"schema": schema, "name": name}
    found = await connection.exec_driver_sql(render(_PACKAGE, "relation_named", {}), values)
    oid: int | None = found.scalar_one_or_none()
    return oid
