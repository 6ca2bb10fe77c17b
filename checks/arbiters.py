"""Which unique index makes an impression that counts the only one of its pair.

One on exactly the pair does so by itself. One with more columns does where `where` and `counts` fix
each of them to one value, a partial one where its rows are all that count. The operator's SQL is
not taken apart for that: PostgreSQL's planner is asked whether a row that counts could be another.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta

import psycopg
from psycopg import sql
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.fragments import condition, table
from checks.pipeline import Rows, Statement
from checks.questions import Questions
from checks.relations import Arbiter, Column, Index, Relation
from checks.spec import ImpressionsSpec
from checks.statements import Fragments, identifier, operator_sql, raw, render, template

_PATIENCE = timedelta(seconds=10)
"""For each question; what is not answered by then is not proven."""
_BOOLEAN = "B"
_EXCLUSION = Statement(template("checks", "catalogue_exclusion"))
_NOTHING = raw("NULL")


async def read_arbiter(
    connection: AsyncConnection, spec: ImpressionsSpec, impressions: Relation
) -> Arbiter | None:
    """The arbiter that the planner proves; None where there is none, where one on exactly the pair
    makes the question idle, and on tables that Citus spreads.

    Needs SELECT only, and leaves the transaction as it was.
    """
    pair = spec.user, spec.artwork
    known = impressions.columns.keys() >= set(pair) and impressions.unique_on(*pair) is None
    candidates = list(_candidates(impressions, frozenset(pair))) if known else []
    if not candidates or impressions.distribution is not None:
        return None
    prover = _Prover(connection, spec, impressions)
    # Where no row can count at all, or there is no partition yet, everything would be proven.
    if await prover.proves(raw("FALSE")):
        return None
    for index in candidates:
        others = [name for name in index.columns if name is not None and name not in pair]
        if await prover.holds_all(index) and all([await prover.fixes(name) for name in others]):
            return Arbiter((*pair, *others), index.predicate, index.name)
    return None


def _candidates(impressions: Relation, pair: frozenset[str]) -> Iterator[Index]:
    """Unique indexes that cover the pair, the simplest first: those that ON CONFLICT may name."""
    if impressions.inherited_by:
        return
    found = [
        index
        for index in impressions.indexes
        if index.unique and index.valid and None not in index.columns and pair <= {*index.columns}
    ]
    # PostgreSQL infers every index on the columns that are named, and refuses a deferrable one.
    late = {frozenset(index.columns) for index in found if not index.immediate}
    for index in sorted(found, key=lambda one: (len(one.columns), one.partial)):
        named = not index.partial or index.predicate is not None
        if named and frozenset(index.columns) not in late:
            yield index


@dataclass(frozen=True, slots=True)
class _Prover:
    """Asks the planner about the rows that count."""

    connection: AsyncConnection
    spec: ImpressionsSpec
    impressions: Relation

    async def holds_all(self, index: Index) -> bool:
        """Every row that counts is in the index."""
        return index.predicate is None or await self.proves(operator_sql(index.predicate))

    async def fixes(self, name: str) -> bool:
        """Every row that counts has the same value in the column, and not NULL."""
        column, quoted = self.impressions.columns[name], identifier(name)
        if column.category == _BOOLEAN:
            forms = ("{}", "NOT {}", "{} IS TRUE", "{} IS FALSE")
            return any([await self.proves(raw(form).format(quoted)) for form in forms])
        claim = sql.SQL('{} = "catalog.fixed"."catalog.value"').format(quoted)
        async for value in self._values(column):
            if await self.proves(claim, sql.SQL("({}\n)::{}").format(value, raw(column.cast))):
                return True
        return False

    async def proves(self, claim: sql.Composable, value: sql.Composable = _NOTHING) -> bool:
        """Whether the planner sees that the claim is true of every row that counts."""
        asked = {"claim": claim, "value": value}
        answer = await self._ask("catalogue_refuted", asked, "EXPLAIN (FORMAT JSON, COSTS OFF) ")
        if not answer:
            return False
        plan = answer[0][0][0]["Plan"]
        while plan["Node Type"] == "Limit":
            (plan,) = plan["Plans"]
        return bool(plan["Node Type"] == "Result" and plan.get("One-Time Filter") == "false")

    async def _values(self, column: Column) -> AsyncIterator[sql.Composable]:
        """What the column may be fixed to: what a new row gets, or what one has."""
        for expression in (self.spec.values.get(column.name), column.default):
            if expression is not None:
                yield operator_sql(expression)
        for (value,) in await self._ask("catalogue_one_value", {"column": identifier(column.name)}):
            yield operator_sql(sql.Literal(value).as_string(None))

    async def _ask(self, statement: str, more: Fragments, how: str = "") -> Rows:
        """The rows; none where PostgreSQL refuses, or does not answer in time."""
        premise = sql.SQL(" AND ").join(
            [condition(text) for text in (self.spec.where, self.spec.counts)]
        )
        names = {"table": table(self.impressions), "premise": premise, **more}
        text = how + render("checks", statement, names)
        try:
            return await Questions(self.connection, _PATIENCE).ask(text, {"one": 1}, _EXCLUSION)
        except psycopg.Error:
            return ()
