"""Asks what the catalogue can't tell: tries statements, and reads rows where nothing is proven."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.catalogue import Facts
from checks.citus.cluster import read_ledger
from checks.citus.forms import form_of, materializations
from checks.citus.nodes import is_lost_node, lost_sentence
from checks.doctor.column_words import Says
from checks.doctor.defaults import may_be_random
from checks.doctor.input import (
    WITH_IDS,
    Answer,
    Clock,
    Evidence,
    Growth,
    HeldMoments,
    Rows,
    Surroundings,
    Vanished,
    impressions_table,
    key_comparisons,
    moment_columns,
)
from checks.doctor.made_rows import read_made_rows
from checks.doctor.moments import read_held_moments
from checks.doctor.own_values import read_own_values
from checks.doctor.pair_probes import ask_about_pairs
from checks.doctor.row_probes import RowProbes
from checks.doctor.row_tallies import Reading, RowEvidence
from checks.doctor.time_zones import MOMENTS
from checks.doctor.unreadable_moments import read_unreadable
from checks.doctor.vanished import LEAST
from checks.doctor.view_filter import read_hiding_filter
from checks.errors import Refusal
from checks.fragments import MomentColumn, condition, rows_of, table
from checks.made_rows import NO_MOMENT, bare_value, fits_column, is_of_pair, no_pair
from checks.pipeline import Rows as Answers
from checks.pipeline import Statement, send
from checks.questions import Questions
from checks.relations import Engine, Relation, engine_of, moment_column
from checks.sequences import DrawnSequence, read_sequences
from checks.spec import PoolsSpec, TableRole
from checks.state_columns import read_state_columns
from checks.statements import Fragments, identifier, operator_sql, raw, render, template

Parameters = Mapping[str, object]

_UNKNOWN_ZONE = "22023"  # invalid_parameter_value
_NOT_TOGETHER = "0A000"  # feature_not_supported: Citus joins no tables that don't lie together
_NO_PRIVILEGE = "42501"  # insufficient_privilege: for the privilege rules to say
_CANCELED = "57014"  # query_canceled
_OUT_OF_TIME = frozenset({_CANCELED, "55P03"})  # lock_not_available
_MISMATCH = "42804"  # datatype_mismatch
_UNTYPED = re.compile(r"\s*\(*\s*(NULL|E?'([^']|'')*')\s*\)*\s*", re.IGNORECASE)
_NO_VALUES: Parameters = {}
_NO_ENCODING = "SQL_ASCII"
_GROWTH_DAYS = 28
_TRUE = raw("TRUE")
_READ_ONLY = Statement(template("checks", "catalogue_read_only"))


class ProbeSuite:
    """What to ask about one catalogue. The connection is inside a transaction."""

    def __init__(
        self,
        connection: AsyncConnection,
        facts: Facts,
        pools: PoolsSpec,
        state_schema: str,
        patience: timedelta,
    ) -> None:
        """`patience` bounds each question that reads rows."""
        self._connection = connection
        self._facts = facts
        self._pools = pools
        self._state_schema = state_schema
        self._questions = Questions(connection, patience)
        self._engine = engine_of(*(relation for _, relation in facts.found))
        self._lost_node = _silent_node(facts)

    async def gather(self) -> Evidence:
        """Every answer that the facts leave open."""
        facts = self._facts
        filters = await self._filters()
        clocks, timezone = await self._clocks()
        (around,) = await self._catalogue_rows(
            "catalogue_surroundings", {"state_schema": self._state_schema}
        )
        rows = await RowProbes(self._answers, facts, lambda role: _filter(role, filters)).gather()
        missing = len(facts.found) < len(facts.tables)
        relations = await self._catalogue_rows("catalogue_relations") if missing else ()
        return Evidence(
            surroundings=Surroundings(**around._asdict()),
            relations=tuple((row.schema, row.name) for row in relations),
            comparisons=await self._comparisons(),
            filters=filters,
            values=await self._values(),
            **await self._of_new_rows(),
            hidden_by=await read_hiding_filter(self._ask_read_only, self._explain, facts),
            duplicate_pairs=await self._duplicate_pairs(),
            duplicate_keys=await self._duplicate_keys(filters),
            ids=await self._ids(filters, around.encoding),
            orphans=await self._orphans(),
            held=await self._held_moments(filters, rows),
            unreadable=await read_unreadable(self._ask, facts),
            random_key=await self._random_key(),
            rows=rows,
            sequences=await self._sequences(),
            vanished=await self._vanished(),
            clocks=clocks,
            timezone=timezone,
            growth=await self._growth(filters),
            ledger=None
            if facts.cluster is None
            else await read_ledger(self._connection, self._state_schema),
            pairs=await ask_about_pairs(self._ask, facts, self._pools),
            state_columns=await read_state_columns(self._connection, self._state_schema),
            lost_node=self._lost_node,
        )

    async def _of_new_rows(self) -> dict[str, Any]:
        """Of rows whose shape or values Citus does not take it is not asked."""
        if self._engine is Engine.CITUS:
            return {}
        return {
            "made_rows": await read_made_rows(self._ask_read_only, self._facts, self._pools),
            "own_values": await read_own_values(self._answers, self._facts),
        }

    async def _clocks(self) -> tuple[tuple[Clock, ...], Refusal | None]:
        asked = {"timezone": self._facts.spec.timezone}
        answer = await self._ask("catalogue_clocks", {}, asked)
        if not isinstance(answer, Refusal):
            return tuple(Clock(**row._asdict()) for row in answer), None
        return (), answer if answer.sqlstate == _UNKNOWN_ZONE else None

    async def _comparisons(self) -> dict[str, Refusal]:
        asked = {
            comparison.subject: {
                "left": table(comparison.left),
                "left_column": identifier(comparison.left_column.name),
                "right": table(comparison.right),
                "right_column": identifier(comparison.right_column.name),
            }
            for comparison in key_comparisons(self._facts)
        }
        silent = _OUT_OF_TIME | {_NO_PRIVILEGE, _NOT_TOGETHER}
        return await self._refusals("catalogue_comparison", asked, but=silent)

    async def _filters(self) -> dict[str, Refusal]:
        asked = {
            setting: {
                "table": table(relation),
                "name": identifier(relation.name),
                "filter": operator_sql(text),
            }
            for role, relation in self._facts.found
            for setting, text in role.conditions.items()
        }
        return await self._refusals("catalogue_filter", asked, but=_OUT_OF_TIME)

    async def _values(self) -> dict[str, Refusal]:
        catalogue = self._facts.catalogue
        if catalogue is None:
            return {}
        said = {
            setting: (name, expression)
            for setting, (name, expression) in catalogue.spec.impressions.expressions.items()
            if name in catalogue.impressions.columns
            and not (self._engine is Engine.CITUS and is_of_pair(expression))
        }
        asked = {
            setting: {
                "fits": fits_column(catalogue, name, expression),
                "bare_value": bare_value(catalogue, expression),
                "pair": no_pair(catalogue, [expression]),
            }
            for setting, (name, expression) in said.items()
        }
        refused = await self._refusals("catalogue_default", asked)
        for setting, (name, expression) in said.items():
            # A text that stands alone is of the column's type, whatever that is.
            if setting not in refused and not _UNTYPED.fullmatch(expression):
                target = {"target": catalogue.impressions.columns[name].base_oid, "now": NO_MOMENT}
                rows = await self._answers("catalogue_value_type", asked[setting], target)
                if rows and not rows[0].fits:
                    refused[setting] = Refusal(_MISMATCH, f"it is of type {rows[0].type}")
        return refused

    async def _duplicate_pairs(self) -> Answer:
        impressions, spec = impressions_table(self._facts), self._facts.spec.impressions
        if impressions is None or (spec.several and self._facts.arbiter is None):
            return Answer.UNKNOWN
        if self._facts.arbiter is not None:
            return Answer.NO
        # In any row: a new index would be on those, too, that don't count.
        return await self._duplicates(impressions, (spec.user, spec.artwork), _TRUE)

    async def _duplicate_keys(self, filters: Mapping[str, Refusal]) -> Answer:
        impressions, spec = self._facts.impressions, self._facts.spec
        key = spec.impressions.key
        if impressions is None or not key or not impressions.columns.keys() >= set(key):
            return Answer.UNKNOWN
        there = replace(spec.roles[2], counts=None)
        return await self._duplicates(impressions, key, _filter(there, filters))

    async def _ids(self, filters: Mapping[str, Refusal], encoding: str) -> dict[str, Rows]:
        answers = {}
        for role, relation in self._facts.found:
            key = role.ids[0]
            if role.key not in WITH_IDS or key not in relation.columns:
                continue
            admitted = _filter(role, filters)
            duplicates = await self._duplicates(relation, (key,), admitted)
            nulls = below_zero = not_utf8 = Answer.NO
            column = {"column": identifier(key)}
            if not relation.columns[key].not_null or relation.inherited_by:
                nulls = await self._any_row("catalogue_nulls", relation, admitted, column)
            if relation.columns[key].category == "N":
                below_zero = await self._any_row("catalogue_below_zero", relation, admitted, column)
            if relation.columns[key].category == "S" and encoding == _NO_ENCODING:
                not_utf8 = await self._any_row("catalogue_not_utf8", relation, admitted, column)
            answers[role.key] = Rows(duplicates, nulls, below_zero, not_utf8)
        return answers

    async def _duplicates(
        self, relation: Relation, columns: Sequence[str], admitted: sql.Composable
    ) -> Answer:
        if relation.unique_on(*columns) is not None:
            return Answer.NO
        names = sql.SQL(", ").join([identifier(column) for column in columns])
        return await self._any_row("catalogue_duplicates", relation, admitted, {"columns": names})

    async def _any_row(
        self, statement: str, relation: Relation, admitted: sql.Composable, more: Fragments
    ) -> Answer:
        """Whether the statement finds a row among those that the filter admits."""
        fragments = {"table": table(relation), "filter": admitted, **more}
        answers = await self._answers(statement, fragments)
        if answers is None:
            return Answer.UNKNOWN
        return Answer.YES if answers else Answer.NO

    async def _orphans(self) -> dict[str, Answer]:
        """Only where a foreign key is enforced, but was never validated."""
        answers = {}
        for comparison in key_comparisons(self._facts):
            left, right = comparison.left, comparison.right
            names = comparison.left_column.name, comparison.right_column.name
            keys = left.foreign_keys_to(right, *names)
            if left is self._facts.impressions and any(
                key.enforced and not key.validated for key in keys
            ):
                fragments = {
                    "target": table(right),
                    "key": identifier(names[0]),
                    "id": identifier(names[1]),
                    **materializations(self._engine),
                }
                found = self._any_row("catalogue_orphans", left, _TRUE, fragments)
                answers[comparison.subject] = await found
        return answers

    async def _held_moments(
        self, filters: Mapping[str, Refusal], rows: RowEvidence
    ) -> dict[str, HeldMoments]:
        held = {}
        impressions = self._facts.impressions
        for tally in rows.of("impressions", *Says):
            # A column that by its numbers may hold moments, under the path that a setting has.
            if impressions is not None and Reading.EPOCH in (tally.rows or {}):
                column, where = tally.telling.column, _filter(self._facts.spec.roles[2], filters)
                found = await read_held_moments(self._ask, impressions, column, where)
                if found is not None:
                    held[f"catalog.impressions.{column.name}"] = found
        for relation, setting, column in moment_columns(self._facts):
            if column.cast not in MOMENTS:
                role = next(role for role, one in self._facts.found if one is relation)
                admitted = _filter(role, filters)
                found = await read_held_moments(self._ask, relation, column, admitted)
                if found is not None:
                    held[setting] = found
        return held

    async def _random_key(self) -> str | None:
        impressions = self._facts.impressions
        column = None if impressions is None else may_be_random(impressions)
        if impressions is None or column is None:
            return None
        relation = {"relation": impressions.beneath.oid}
        if await self._catalogue_rows("catalogue_referenced", relation):
            return None
        fragments = {"table": table(impressions), "key": identifier(column.name)}
        answer = await self._ask("catalogue_random_keys", fragments)
        if isinstance(answer, Refusal):
            return None
        (seen,) = answer
        random = 0 < seen.keys == seen.uuids and 2 * seen.ordered < seen.keys
        return column.name if random else None

    async def _sequences(self) -> tuple[DrawnSequence, ...]:
        impressions = self._facts.impressions
        if impressions is None:
            return ()
        named = self._facts.named_sequences
        async with self._questions.bounded():
            return await read_sequences(self._connection, impressions, self._facts.spec, named)

    async def _vanished(self) -> tuple[Vanished, ...]:
        state = {"state": identifier(self._state_schema)}
        answer = await self._ask("catalogue_vanished", state, {"least": LEAST})
        return () if isinstance(answer, Refusal) else tuple(Vanished(**r._asdict()) for r in answer)

    async def _growth(self, filters: Mapping[str, Refusal]) -> Growth | None:
        facts = self._facts
        if facts.artworks is None or facts.users is None:
            return None
        artworks = await self._recent_artworks(facts.artworks, filters)
        admitted = _filter(facts.spec.roles[1], filters)
        fragments = {"table": table(facts.users), "filter": admitted}
        users = await self._number("catalogue_users_counted", fragments)
        if artworks is None or users is None:
            return None
        return Growth(artworks, _GROWTH_DAYS, users, await self._tracked_users())

    async def _recent_artworks(
        self, artworks: Relation, filters: Mapping[str, Refusal]
    ) -> int | None:
        spec = self._facts.spec
        column = moment_column(artworks, "created_at", spec.artworks.created_at)
        if column is None or column.cast not in MOMENTS:
            return None
        # Bound, because now() may be asked of several nodes, each with a clock of its own.
        (clock,) = await self._catalogue_rows("catalogue_now")
        fragments = {
            "table": rows_of(spec.roles[0], artworks),
            "filter": _filter(spec.roles[0], filters),
            "created_at": identifier(column.name),
            "now": MomentColumn(column, spec.timezone).stored("now"),
            "name": identifier(artworks.name),
        }
        asked = {"days": _GROWTH_DAYS, "now": clock.now}
        return await self._number("catalogue_recent_artworks", fragments, asked)

    async def _tracked_users(self) -> int | None:
        """By the planner's statistics; counted where the coordinator of a cluster has none about
        what is on its nodes."""
        impressions, spec = self._facts.impressions, self._facts.spec.impressions
        if impressions is None or spec.user not in impressions.columns:
            return None
        if impressions.distribution is not None:
            fragments = {"table": table(impressions), "user": identifier(spec.user)}
            return await self._number("catalogue_distinct_users", fragments)
        if not impressions.analysed:
            return None
        asked = {
            "schema": impressions.schema,
            "table": impressions.name,
            "column": spec.user,
            "estimated_rows": impressions.estimated_rows,
        }
        rows = await self._catalogue_rows("catalogue_tracked_users", asked)
        return int(rows[0].tracked_users) if rows else None

    async def _number(
        self, statement: str, fragments: Fragments, parameters: Parameters = _NO_VALUES
    ) -> int | None:
        """The number that the statement returns; None where it is refused."""
        answers = await self._answers(statement, fragments, parameters)
        return None if answers is None else int(answers[0][0])

    async def _answers(
        self, statement: str, fragments: Fragments, parameters: Parameters = _NO_VALUES
    ) -> Answers | None:
        """The rows of the statement; None where it is refused."""
        answer = await self._ask(statement, fragments, parameters)
        return None if isinstance(answer, Refusal) else answer

    async def _refusals(
        self,
        statement: str,
        asked: Mapping[str, Fragments],
        *,
        but: frozenset[str] = frozenset(),
    ) -> dict[str, Refusal]:
        """Why PostgreSQL refuses the statement, by subject; each is asked for no row.

        A SQLSTATE of `but` says nothing about the subject and is left out.
        """
        refused = {}
        for subject, fragments in asked.items():
            answer = await self._ask(statement, fragments, {"none": 0, "now": NO_MOMENT})
            if isinstance(answer, Refusal) and answer.sqlstate not in but:
                refused[subject] = answer
        return refused

    async def _ask_read_only(
        self, statement: str, fragments: Fragments, parameters: Parameters
    ) -> Answers | Refusal:
        """The same of expressions that PostgreSQL evaluates: none may write anything."""
        return await self._ask(statement, fragments, parameters, read_only=True)

    async def _ask(
        self,
        statement: str,
        fragments: Fragments,
        parameters: Parameters = _NO_VALUES,
        *,
        read_only: bool = False,
        how: str = "",
    ) -> Answers | Refusal:
        """The rows of the SQL file `statement`, or why PostgreSQL refused it."""
        if self._lost_node is not None:
            # Each question might wait half a minute for a connection.
            return Refusal(_CANCELED, self._lost_node)
        text = how + render("checks", form_of(self._engine, statement), fragments)
        before = (_READ_ONLY,) if read_only else ()
        try:
            return await self._questions.ask(text, parameters, *before)
        except psycopg.Error as refused:
            if is_lost_node(refused):
                self._lost_node = lost_sentence(refused)
                return Refusal(_CANCELED, self._lost_node)
            return Refusal.of(refused)

    async def _explain(
        self, statement: str, fragments: Fragments, parameters: Parameters
    ) -> Answers | Refusal:
        how = "EXPLAIN (FORMAT JSON, COSTS OFF) "
        return await self._ask(statement, fragments, parameters, how=how)

    async def _catalogue_rows(self, statement: str, parameters: Parameters = _NO_VALUES) -> Answers:
        """The rows of a SELECT on the catalogue, which no role is refused."""
        asking = Statement(render("checks", statement, {}), parameters)
        (answer,) = await send(self._connection, [asking])
        return answer


def _silent_node(facts: Facts) -> str | None:
    """That a node did not say how large its shards are, which none refuses."""
    for _, relation in facts.found:
        if relation.distribution is not None and not relation.distribution.answers:
            return f"A node of the cluster, with shards of {relation.configured}, does not answer."
    return None


def _filter(role: TableRole, refused: Mapping[str, Refusal]) -> sql.Composable:
    """The operator's conditions, but those that PostgreSQL refuses, which are findings already."""
    told = [condition(text) for key, text in role.conditions.items() if key not in refused]
    return sql.SQL(" AND ").join(told or [_TRUE])
