"""Asks what the catalogue can't tell: tries statements, and reads rows where nothing is proven."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from psycopg import sql

from checks.catalogue import Facts
from checks.cluster import read_ledger
from checks.doctor.case import TABLES, comparisons, found, has_pair
from checks.doctor.column_types import MOMENTS
from checks.doctor.evidence import (
    Answer,
    Clock,
    Evidence,
    Growth,
    Ledger,
    Refusal,
    Rows,
    Surroundings,
)
from checks.doctor.questions import Questions, any_row, name, table_name
from checks.fragments import stored_moment
from checks.relations import Relation
from checks.statements import operator_sql, raw

_UNKNOWN_ZONE = "22023"  # invalid_parameter_value
_NOT_TOGETHER = "0A000"  # feature_not_supported: Citus joins no tables that don't lie together
_NO_PRIVILEGE = "42501"  # insufficient_privilege: for the privilege rules to say
_OUT_OF_TIME = frozenset({"57014", "55P03"})  # query_canceled, lock_not_available
_GROWTH_DAYS = 28
_TRUE = raw("TRUE")


class Probe:
    """What to ask about one catalogue."""

    def __init__(self, questions: Questions, facts: Facts, state_schema: str) -> None:
        self._questions = questions
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
        return Ledger(*await read_ledger(self._questions.connection, self._state_schema))

    async def _surroundings(self) -> Surroundings:
        rows = await self._questions.demand(
            "catalogue_surroundings", {"state_schema": self._state_schema}
        )
        return Surroundings(**rows[0]._mapping)

    async def _relations(self) -> tuple[tuple[str, str], ...]:
        return tuple(
            (row.schema, row.name) for row in await self._questions.demand("catalogue_relations")
        )

    async def _clocks(self) -> tuple[tuple[Clock, ...], Refusal | None]:
        answer = await self._questions.ask(
            "catalogue_clocks", {}, {"timezone": self._facts.spec.timezone}
        )
        if not isinstance(answer, Refusal):
            return tuple(Clock(**row._mapping) for row in answer), None
        return (), answer if answer.sqlstate == _UNKNOWN_ZONE else None

    async def _comparisons(self) -> dict[str, Refusal]:
        refused = {}
        for comparison in comparisons(self._facts):
            answer = await self._questions.ask(
                "catalogue_comparison",
                {
                    "left": table_name(comparison.left),
                    "left_column": name(comparison.left_column),
                    "right": table_name(comparison.right),
                    "right_column": name(comparison.right_column),
                },
                {"none": 0},
            )
            if isinstance(answer, Refusal) and answer.sqlstate not in _OUT_OF_TIME | {
                _NO_PRIVILEGE,
                _NOT_TOGETHER,
            }:
                refused[comparison.subject] = answer
        return refused

    async def _filters(self) -> dict[str, Refusal]:
        refused = {}
        for place, relation in found(self._facts):
            if place.where is None:
                continue
            answer = await self._questions.ask(
                "catalogue_filter",
                {"table": table_name(relation), "filter": operator_sql(place.where)},
                {"none": 0},
            )
            if isinstance(answer, Refusal) and answer.sqlstate not in _OUT_OF_TIME:
                refused[f"catalog.{place.role}.where"] = answer
        return refused

    async def _defaults(self) -> dict[str, Refusal]:
        impressions, refused = self._facts.impressions, {}
        if impressions is None:
            return {}
        for column_name, expression in self._facts.spec.impressions.defaults.items():
            column = impressions.columns.get(column_name)
            if column is None:
                continue
            answer = await self._questions.ask(
                "catalogue_default",
                {"expression": operator_sql(expression), "type": raw(column.cast)},
                {"none": 0},
            )
            if isinstance(answer, Refusal):
                refused[column_name] = answer
        return refused

    async def _duplicate_pairs(self) -> Answer:
        impressions, spec = has_pair(self._facts), self._facts.spec.impressions
        if impressions is None or impressions.kind not in TABLES:
            return Answer.UNKNOWN
        if impressions.unique_on(spec.user, spec.artwork) is not None:
            return Answer.NO
        return await self._duplicates(impressions, (spec.user, spec.artwork), _TRUE)

    async def _ids(self, filters: Mapping[str, Refusal]) -> dict[str, Rows]:
        spec, answers = self._facts.spec, {}
        keys = {"artworks": spec.artworks.id, "users": spec.users.id}
        for place, relation in found(self._facts):
            key = keys.get(place.role)
            if key is None or key not in relation.columns:
                continue
            admitted = self._filter(place.role, place.where, filters)
            proven = relation.unique_on(key) is not None
            not_null = relation.columns[key].not_null and not relation.inherited_by
            answers[place.role] = Rows(
                duplicates=Answer.NO
                if proven
                else await self._duplicates(relation, (key,), admitted),
                nulls=Answer.NO if not_null else await self._nulls(relation, key, admitted),
            )
        return answers

    async def _duplicates(
        self, relation: Relation, columns: Sequence[str], admitted: sql.Composable
    ) -> Answer:
        names = sql.SQL(", ").join([name(column) for column in columns])
        fragments = {"table": table_name(relation), "filter": admitted, "columns": names}
        return any_row(await self._questions.ask("catalogue_duplicates", fragments))

    async def _nulls(self, relation: Relation, column: str, admitted: sql.Composable) -> Answer:
        fragments = {"table": table_name(relation), "filter": admitted, "column": name(column)}
        return any_row(await self._questions.ask("catalogue_nulls", fragments))

    async def _forbidden_sequences(self) -> tuple[str, ...]:
        impressions, spec = self._facts.impressions, self._facts.spec.impressions
        if impressions is None:
            return ()
        written = [spec.user, spec.artwork, spec.viewed_at, *spec.defaults]
        rows = await self._questions.demand(
            "catalogue_sequences", {"relation": impressions.oid, "written": written}
        )
        return tuple(row.sequence for row in rows)

    async def _growth(self, filters: Mapping[str, Refusal]) -> Growth | None:
        facts = self._facts
        if facts.artworks is None or facts.users is None:
            return None
        artworks = await self._recent_artworks(facts.artworks, filters)
        admitted = self._filter("users", facts.spec.users.where, filters)
        users = await self._questions.ask(
            "catalogue_users_counted", {"table": table_name(facts.users), "filter": admitted}
        )
        if artworks is None or isinstance(users, Refusal):
            return None
        return Growth(artworks, _GROWTH_DAYS, users[0][0], await self._tracked_users())

    async def _recent_artworks(
        self, artworks: Relation, filters: Mapping[str, Refusal]
    ) -> int | None:
        spec = self._facts.spec
        column = artworks.columns.get(spec.artworks.created_at)
        if column is None or column.cast not in MOMENTS:
            return None
        # Bound, because now() may be asked of several nodes, each with a clock of its own.
        (clock,) = await self._questions.demand("catalogue_now")
        answer = await self._questions.ask(
            "catalogue_recent_artworks",
            {
                "table": table_name(artworks),
                "filter": self._filter("artworks", spec.artworks.where, filters),
                "created_at": name(column.name),
                "now": stored_moment(column, spec.timezone, "now"),
            },
            {"days": _GROWTH_DAYS, "now": clock.now},
        )
        return None if isinstance(answer, Refusal) else int(answer[0][0])

    async def _tracked_users(self) -> int | None:
        impressions, spec = self._facts.impressions, self._facts.spec.impressions
        if impressions is None or spec.user not in impressions.columns:
            return None
        if impressions.distribution is not None:
            return await self._distinct_users(impressions)
        if not impressions.analysed:
            return None
        rows = await self._questions.demand(
            "catalogue_tracked_users",
            {
                "schema": impressions.schema,
                "table": impressions.name,
                "column": spec.user,
                "estimated_rows": impressions.estimated_rows,
            },
        )
        return int(rows[0].tracked_users) if rows else None

    async def _distinct_users(self, impressions: Relation) -> int | None:
        """Counted: the coordinator of a cluster has no statistics about what is on its nodes."""
        fragments = {
            "table": table_name(impressions),
            "user": name(self._facts.spec.impressions.user),
        }
        answer = await self._questions.ask("catalogue_distinct_users", fragments)
        return None if isinstance(answer, Refusal) else int(answer[0][0])

    def _filter(
        self, role: str, where: str | None, refused: Mapping[str, Refusal]
    ) -> sql.Composable:
        """The operator's filter, unless PostgreSQL refuses it, which is a finding already."""
        if where is None or f"catalog.{role}.where" in refused:
            return _TRUE
        return operator_sql(where)
