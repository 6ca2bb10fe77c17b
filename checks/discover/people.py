"""Which users are meant: the table that a foreign key leads to, or a part of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from psycopg import sql

from checks.discover.candidates import Candidate
from checks.discover.sampling import TRUE, Sampler, name_of
from checks.discover.tables import Table, Tables
from checks.discover.words import says_people
from checks.doctor.column_words import Sort, sort_of
from checks.relations import Column
from checks.statements import identifier

MOST_IDS = 200
"""Ids of a column that are looked up elsewhere."""
_NEARLY_ALL, _LESS = 0.98, 0.95


async def narrowed(
    sampler: Sampler, tables: Tables, candidate: Candidate, viewed: Column | None = None
) -> Candidate:
    """The candidate with the smaller table of users that holds everybody who saw anything, where
    there is one: card holders, who are a part of all people. `viewed`: what only views have."""
    user = candidate.user
    for table, column in _parts_of(tables, candidate):
        smaller = 0 < table.rows < _LESS * user.table.rows
        if not (smaller or (says_people(table.name) and not says_people(user.table.name))):
            continue
        names = {
            "rows": await sampler.rows(candidate.impressions),
            "column": identifier(user.column),
            "target": name_of(table),
            "id": identifier(column),
            "filter": _is_seen(viewed),
        }
        found = await sampler.first("discover_named", names, {"most": MOST_IDS})
        if found is None or not found.ids or found.there < _NEARLY_ALL * found.ids:
            continue
        if await _is_once(sampler, table, column):
            told = (
                f"{user.how}, as a part of {user.table.configured}: of {found.ids:,} users looked"
                f" at who saw something, {found.there:,} are in {table.configured}"
            )
            return replace(candidate, user=replace(user, table=table, id=column, how=told))
    return candidate


def _parts_of(tables: Tables, candidate: Candidate) -> Iterator[tuple[Table, str]]:
    """Tables that may have a row for some of the users, under the same ids."""
    user, others = candidate.user, {candidate.impressions.oid, candidate.artwork.table.oid}
    for table in tables.readable:
        for key in table.keys:
            leads = key.target == user.table.oid and key.target_columns == (user.id,)
            once = table.is_unique(*key.columns) or says_people(table.name)
            if leads and once and table.oid not in others:
                yield table, key.columns[0]


async def _is_once(sampler: Sampler, table: Table, column: str) -> bool:
    """Whether no value comes twice, by an index or by the rows."""
    if table.is_unique(column):
        return True
    names = {"rows": await sampler.rows(table), "column": identifier(column)}
    found = await sampler.first("discover_column", names)
    return found is not None and found.set == found.different


def _is_seen(viewed: Column | None) -> sql.Composable:
    if viewed is None or viewed.not_null:
        return TRUE
    what = "{} > 0" if sort_of(viewed) is Sort.NUMBER else "{} IS NOT NULL"
    return sql.SQL(what).format(identifier(viewed.name))
