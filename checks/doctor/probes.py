"""Asks what the catalogue can't tell: tries statements, and reads rows where nothing is proven.

Each question runs in a savepoint that is rolled back, whatever the answer: a refused statement
poisons nothing, and the bound on its time ends with the savepoint.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Row
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.catalogue import Facts
from checks.citus.cluster import read_ledger
from checks.doctor.input import (
    Answer,
    Clock,
    Evidence,
    Growth,
    Ledger,
    Refusal,
    Rows,
    Surroundings,
    found_tables,
    impressions_table,
    key_comparisons,
)
from checks.doctor.time_zones import MOMENTS
from checks.fragments import stored_moment, table
from checks.relations import Relation
from checks.statements import Fragments, identifier, operator_sql, raw, render

Answers = Sequence[Row[Any]]
Parameters = Mapping[str, object]

_UNKNOWN_ZONE = "22023"  # invalid_parameter_value
_NOT_TOGETHER = "0A000"  # feature_not_supported: Citus joins no tables that don't lie together
_NO_PRIVILEGE = "42501"  # insufficient_privilege: for the privilege rules to say
_OUT_OF_TIME = frozenset({"57014", "55P03"})  # query_canceled, lock_not_available
_NO_VALUES: Parameters = {}
_GROWTH_DAYS = 28
_TRUE = raw("TRUE")


class SavepointQuery:
    """A connection inside a transaction, and how long any one question may take."""

    def __init__(self, connection: AsyncConnection, patience: timedelta) -> None:
        self.connection = connection
        self._milliseconds = round(patience / timedelta(milliseconds=1))

    async def ask(
        self, statement: str, fragments: Fragments, parameters: Parameters = _NO_VALUES
    ) -> Answers | Refusal:
        """The rows of the SQL file `statement`, or why PostgreSQL refused it."""
        text = render("checks", statement, fragments)
        savepoint = await self.connection.begin_nested()
        try:
            await self.demand("catalogue_patience", {"milliseconds": self._milliseconds})
            return await self._execute(text, parameters)
        except DBAPIError as refused:
            if refused.connection_invalidated or not isinstance(refused.orig, psycopg.Error):
                raise
            return _refusal(refused.orig)
        finally:
            if savepoint.is_active:
                await savepoint.rollback()

    async def refusal(
        self,
        statement: str,
        fragments: Fragments,
        *,
        but: frozenset[str] = frozenset(),
    ) -> Refusal | None:
        """Why PostgreSQL refuses the statement, which is asked for no row; None where it does not,
        or by a SQLSTATE of `but`, which says nothing about it."""
        answer = await self.ask(statement, fragments, {"none": 0})
        return answer if isinstance(answer, Refusal) and answer.sqlstate not in but else None

    async def number(
        self, statement: str, fragments: Fragments, parameters: Parameters = _NO_VALUES
    ) -> int | None:
        """The number that the statement returns; None where it is refused."""
        answer = await self.ask(statement, fragments, parameters)
        return None if isinstance(answer, Refusal) else int(answer[0][0])

    async def any_row(self, statement: str, fragments: Fragments) -> Answer:
        """Whether the statement finds a row."""
        answer = await self.ask(statement, fragments)
        if isinstance(answer, Refusal):
            return Answer.UNKNOWN
        return Answer.YES if answer else Answer.NO

    async def demand(self, statement: str, parameters: Parameters = _NO_VALUES) -> Answers:
        """The rows of a SELECT on the catalogue, which no role is refused."""
        return await self._execute(render("checks", statement, {}), parameters)

    async def _execute(self, text: str, parameters: Parameters) -> Answers:
        result = await self.connection.exec_driver_sql(text, dict(parameters))
        return result.all()


def _refusal(refused: psycopg.Error) -> Refusal:
    message = refused.diag.message_primary or str(refused)
    return Refusal(sqlstate=refused.sqlstate or "", message=message.rstrip("."))


class ProbeSuite:
    """What to ask about one catalogue."""

    def __init__(self, query: SavepointQuery, facts: Facts, state_schema: str) -> None:
        self._query = query
        self._facts = facts
        self._state_schema = state_schema

    async def gather(self) -> Evidence:
        """Every answer that the facts leave open."""
        facts = self._facts
        filters = await self._filters()
        clocks, timezone = await self._clocks()
        missing = None in (facts.artworks, facts.users, facts.impressions)
        return Evidence(
            surroundings=await self._surroundings(),
            relations=await self._relations() if missing else (),
            comparisons=await self._comparisons(),
            filters=filters,
            defaults=await self._defaults(),
            duplicate_pairs=await self._duplicate_pairs(),
            ids=await self._ids(filters),
            forbidden_sequences=await self._forbidden_sequences(),
            clocks=clocks,
            timezone=timezone,
            growth=await self._growth(filters),
            ledger=await self._ledger(),
        )

    async def _ledger(self) -> Ledger | None:
        if self._facts.cluster is None:
            return None
        return Ledger(*await read_ledger(self._query.connection, self._state_schema))

    async def _surroundings(self) -> Surroundings:
        asked = {"state_schema": self._state_schema}
        (row,) = await self._query.demand("catalogue_surroundings", asked)
        return Surroundings(**row._mapping)

    async def _relations(self) -> tuple[tuple[str, str], ...]:
        rows = await self._query.demand("catalogue_relations")
        return tuple((row.schema, row.name) for row in rows)

    async def _clocks(self) -> tuple[tuple[Clock, ...], Refusal | None]:
        asked = {"timezone": self._facts.spec.timezone}
        answer = await self._query.ask("catalogue_clocks", {}, asked)
        if not isinstance(answer, Refusal):
            return tuple(Clock(**row._mapping) for row in answer), None
        return (), answer if answer.sqlstate == _UNKNOWN_ZONE else None

    async def _comparisons(self) -> dict[str, Refusal]:
        refused = {}
        for comparison in key_comparisons(self._facts):
            fragments = {
                "left": table(comparison.left),
                "left_column": identifier(comparison.left_column),
                "right": table(comparison.right),
                "right_column": identifier(comparison.right_column),
            }
            refusal = await self._query.refusal(
                "catalogue_comparison",
                fragments,
                but=_OUT_OF_TIME | {_NO_PRIVILEGE, _NOT_TOGETHER},
            )
            if refusal is not None:
                refused[comparison.subject] = refusal
        return refused

    async def _filters(self) -> dict[str, Refusal]:
        refused = {}
        for role, relation in found_tables(self._facts):
            if role.where is None:
                continue
            fragments = {"table": table(relation), "filter": operator_sql(role.where)}
            refusal = await self._query.refusal("catalogue_filter", fragments, but=_OUT_OF_TIME)
            if refusal is not None:
                refused[f"catalog.{role.key}.where"] = refusal
        return refused

    async def _defaults(self) -> dict[str, Refusal]:
        impressions, refused = self._facts.impressions, {}
        if impressions is None:
            return {}
        for name, expression in self._facts.spec.impressions.defaults.items():
            column = impressions.columns.get(name)
            if column is None:
                continue
            fragments = {"expression": operator_sql(expression), "type": raw(column.cast)}
            refusal = await self._query.refusal("catalogue_default", fragments)
            if refusal is not None:
                refused[name] = refusal
        return refused

    async def _duplicate_pairs(self) -> Answer:
        impressions, spec = impressions_table(self._facts), self._facts.spec.impressions
        if impressions is None:
            return Answer.UNKNOWN
        if impressions.unique_on(spec.user, spec.artwork) is not None:
            return Answer.NO
        return await self._duplicates(impressions, (spec.user, spec.artwork), _TRUE)

    async def _ids(self, filters: Mapping[str, Refusal]) -> dict[str, Rows]:
        answers = {}
        for role, relation in found_tables(self._facts):
            key = role.ids[0]
            if role.key == "impressions" or key not in relation.columns:
                continue
            duplicates = nulls = Answer.NO
            admitted = _filter(role.key, role.where, filters)
            if relation.unique_on(key) is None:
                duplicates = await self._duplicates(relation, (key,), admitted)
            if not relation.columns[key].not_null or relation.inherited_by:
                fragments = {
                    "table": table(relation),
                    "filter": admitted,
                    "column": identifier(key),
                }
                nulls = await self._query.any_row("catalogue_nulls", fragments)
            answers[role.key] = Rows(duplicates, nulls)
        return answers

    async def _duplicates(
        self, relation: Relation, columns: Sequence[str], admitted: sql.Composable
    ) -> Answer:
        names = sql.SQL(", ").join([identifier(column) for column in columns])
        fragments = {"table": table(relation), "filter": admitted, "columns": names}
        return await self._query.any_row("catalogue_duplicates", fragments)

    async def _forbidden_sequences(self) -> tuple[str, ...]:
        impressions, spec = self._facts.impressions, self._facts.spec.impressions
        if impressions is None:
            return ()
        written = [spec.user, spec.artwork, spec.viewed_at, *spec.defaults]
        asked = {"relation": impressions.oid, "written": written}
        rows = await self._query.demand("catalogue_sequences", asked)
        return tuple(row.sequence for row in rows)

    async def _growth(self, filters: Mapping[str, Refusal]) -> Growth | None:
        facts = self._facts
        if facts.artworks is None or facts.users is None:
            return None
        artworks = await self._recent_artworks(facts.artworks, filters)
        admitted = _filter("users", facts.spec.users.where, filters)
        fragments = {"table": table(facts.users), "filter": admitted}
        users = await self._query.number("catalogue_users_counted", fragments)
        if artworks is None or users is None:
            return None
        return Growth(artworks, _GROWTH_DAYS, users, await self._tracked_users())

    async def _recent_artworks(
        self, artworks: Relation, filters: Mapping[str, Refusal]
    ) -> int | None:
        spec = self._facts.spec
        column = artworks.columns.get(spec.artworks.created_at)
        if column is None or column.cast not in MOMENTS:
            return None
        # Bound, because now() may be asked of several nodes, each with a clock of its own.
        (clock,) = await self._query.demand("catalogue_now")
        fragments = {
            "table": table(artworks),
            "filter": _filter("artworks", spec.artworks.where, filters),
            "created_at": identifier(column.name),
            "now": stored_moment(column, spec.timezone, "now"),
        }
        asked = {"days": _GROWTH_DAYS, "now": clock.now}
        return await self._query.number("catalogue_recent_artworks", fragments, asked)

    async def _tracked_users(self) -> int | None:
        """By the planner's statistics; counted where the coordinator of a cluster has none about
        what is on its nodes."""
        impressions, spec = self._facts.impressions, self._facts.spec.impressions
        if impressions is None or spec.user not in impressions.columns:
            return None
        if impressions.distribution is not None:
            fragments = {"table": table(impressions), "user": identifier(spec.user)}
            return await self._query.number("catalogue_distinct_users", fragments)
        if not impressions.analysed:
            return None
        asked = {
            "schema": impressions.schema,
            "table": impressions.name,
            "column": spec.user,
            "estimated_rows": impressions.estimated_rows,
        }
        rows = await self._query.demand("catalogue_tracked_users", asked)
        return int(rows[0].tracked_users) if rows else None


def _filter(key: str, where: str | None, refused: Mapping[str, Refusal]) -> sql.Composable:
    """The operator's filter, unless PostgreSQL refuses it, which is a finding already."""
    if where is None or f"catalog.{key}.where" in refused:
        return _TRUE
    return operator_sql(where)
