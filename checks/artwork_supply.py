"""`artwork_supply`: how old the newest artwork is. It grows when generation has stopped."""

from __future__ import annotations

import math
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.fragments import SKEW, fragments, not_long_after
from checks.judgement import Measurement, iso_utc
from checks.relations import Catalogue
from checks.spec import Cutoffs, PoolsSpec
from checks.statements import render

STATEMENT = "artwork_supply"


def statements(catalogue: Catalogue, pools: PoolsSpec) -> dict[str, str]:
    """What is asked, by name, parameters unbound."""
    spec = catalogue.spec
    column = catalogue.artworks.columns[spec.artworks.created_at]
    names = {
        **fragments(catalogue, pools),
        "may_be_created_by_now": not_long_after(column, spec.timezone, "future"),
    }
    return {STATEMENT: render("checks", STATEMENT, names)}


def parameters(cutoffs: Cutoffs) -> dict[str, object]:
    """What the statement binds. An app server's clock may be a little ahead of the database's."""
    return {"future": cutoffs.now + SKEW}


async def measure(
    connection: AsyncConnection, catalogue: Catalogue, pools: PoolsSpec, cutoffs: Cutoffs
) -> Measurement:
    """The age in seconds of the newest artwork that is not in the future; infinite without any."""
    statement = statements(catalogue, pools)[STATEMENT]
    newest = (await connection.exec_driver_sql(statement, parameters(cutoffs))).one_or_none()
    if newest is None or math.isinf(newest.created_at):
        return Measurement(
            value=math.inf,
            message="There is no artwork with a creation time up to now:"
            " none was ever generated, or catalog.artworks.where admits none.",
        )
    age = max(0.0, cutoffs.now.timestamp() - newest.created_at)
    return Measurement(
        value=age,
        message=f"The newest artwork is {timedelta(seconds=round(age))} old.",
        numbers={"newest_created_timestamp_seconds": newest.created_at},
        evidence=({"artwork_id": newest.artwork_id, "created_at": iso_utc(newest.created_at)},),
    )
