"""Whether a view would show the rows that healing writes through it: each run would fail otherwise.

The view's WHERE is taken from PostgreSQL's plan for it, where it reads one table and nothing else,
and asked of the values that a new row gets whatever its pair. What can't be told so is left open:
the run reads back what it wrote.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from psycopg import sql

from checks.catalogue import Facts
from checks.doctor.made_rows import Ask
from checks.errors import Refusal
from checks.fragments import table, viewed_column
from checks.made_rows import ARTWORK, PAIR, USER, names_row, value_of
from checks.relations import Base, Catalogue
from checks.statements import identifier, operator_sql

_RANDOM = "nextval("


class _UntoldError(Exception):
    """What a new row gets depends on its pair, or on a trigger."""


async def read_hiding_filter(ask: Ask, explain: Ask, facts: Facts) -> str | None:
    """The condition of the view that no new row satisfies; None where there is none, and where
    that can't be told."""
    catalogue, base = facts.catalogue, None
    if catalogue is not None:
        base = catalogue.impressions.base
    if catalogue is None or base is None or not base.filtering or not _writes(catalogue):
        return None
    try:
        columns = list(_values(catalogue, base))
    except _UntoldError:
        return None
    view = {"table": table(catalogue.impressions)}
    answer = await explain("catalogue_view_filter", view, {"one": 1})
    told = None if isinstance(answer, Refusal) else _filter(answer[0][0][0]["Plan"])
    if told is None:
        return None
    names = {
        "filter": operator_sql(told),
        "columns": sql.SQL(", ").join(columns),
        "name": identifier(base.relation.name),
    }
    clock = await ask("catalogue_now", {}, {})
    if isinstance(clock, Refusal):
        return None
    judged = await ask("catalogue_shown", names, {"now": clock[0].now, "one": 1})
    return None if isinstance(judged, Refusal) or judged[0].shown else told


def _writes(catalogue: Catalogue) -> bool:
    impressions = catalogue.impressions
    return impressions.takes_writes and not impressions.row_changing_triggers


def _filter(plan: Mapping[str, Any]) -> str | None:
    """Where one table is read: what of its rows is asked, but for what an index answers."""
    while plan["Node Type"] == "Limit":
        (plan,) = plan["Plans"]
    return None if "Plans" in plan or "Relation Name" not in plan else plan.get("Filter")


def _values(catalogue: Catalogue, base: Base) -> Iterator[sql.Composable]:
    """What the columns of the table get that the view's WHERE reads. Raises _UntoldError."""
    shown = {beneath: name for name, beneath in base.columns.items()}
    for name in base.filtering:
        if name is None:
            raise _UntoldError
        yield sql.SQL("{}::{} AS {}").format(
            _value(catalogue, base, name, shown.get(name, "")),
            operator_sql(base.relation.columns[name].cast),
            identifier(name),
        )


def _value(catalogue: Catalogue, base: Base, name: str, shown: str) -> sql.Composable:
    spec, column = catalogue.spec.impressions, base.relation.columns[name]
    if shown in spec.values:
        text = spec.values[shown]
        if any(names_row(text, row) for row in (ARTWORK, USER, PAIR)):
            raise _UntoldError
        return sql.SQL("(SELECT {} FROM (SELECT) AS m)").format(value_of(catalogue, shown, text))
    if shown == spec.viewed_at:
        return viewed_column(catalogue).stored("now")
    default = base.defaults.get(name, column.default)
    unknown = default is None and (column.has_default or column.generated)
    if shown in (spec.user, spec.artwork) or unknown or _RANDOM in (default or ""):
        raise _UntoldError
    return operator_sql(f"({default or 'NULL'})")
