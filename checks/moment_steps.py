"""How coarse the moments are that an expression makes of numbers or texts: minutes, hours, days.

A type tells that of a column (a date is a day); of an expression only its values can. Who compares
two moments has to know it: what is cut down to the hour seems earlier than it was.
"""

from __future__ import annotations

from datetime import timedelta

from psycopg import sql
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.fragments import DATE, fragments, viewed_column
from checks.relations import Catalogue, Engine
from checks.spec import PoolsSpec, SqlMoment
from checks.statements import render

STEP = "viewed_step"
NONE = timedelta(0)
_STEPS = {
    "of_minutes": timedelta(minutes=1),
    "of_five_minutes": timedelta(minutes=5),
    "of_hours": timedelta(hours=1),
    "of_days": timedelta(days=1),
}


def step_sql(catalogue: Catalogue, pools: PoolsSpec) -> dict[str, str]:
    """What is asked; nothing where a column's type tells, or the rows lie on several nodes."""
    viewed = catalogue.viewed
    is_expression = isinstance(catalogue.spec.impressions.viewed_at, SqlMoment)
    if not is_expression or viewed is None or viewed.cast == DATE:
        return {}
    if catalogue.engine is Engine.CITUS:
        return {}
    moment = viewed_column(catalogue).moment("i")
    lies_between = {name: _between(moment, step, catalogue) for name, step in _STEPS.items()}
    names = {**fragments(catalogue, pools), "viewed_moment": moment, **lies_between}
    return {STEP: render("checks", STEP, names)}


def _between(moment: sql.Composable, step: timedelta, catalogue: Catalogue) -> sql.Composable:
    """The moment is on no whole step, neither in UTC nor on the clocks of catalog.timezone."""
    return sql.SQL(
        "(mod(extract(epoch FROM {moment}), {step}) <> 0"
        " AND mod(extract(epoch FROM {moment} AT TIME ZONE {zone}), {step}) <> 0)"
    ).format(
        moment=moment,
        step=sql.Literal(round(step.total_seconds())),
        zone=sql.Literal(catalogue.spec.timezone),
    )


async def viewed_step(
    connection: AsyncConnection, catalogue: Catalogue, pools: PoolsSpec
) -> timedelta:
    """To what the moments of viewing are cut down; 0 where to less than a minute, where there are
    too few to tell, and for every column, of which the type tells."""
    asked = step_sql(catalogue, pools)
    if not asked:
        return NONE
    found = (await connection.exec_driver_sql(asked[STEP])).scalar_one()
    return NONE if found is None else _STEPS[found]
