"""`pool_exhaustion`: users of the audience who have nearly nothing unseen left.

A user's pool is what the app may still offer: fresh and storage, together with the artworks that
would be one of these had the user not seen them. Unseen are those without an impression.
"""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.citus.forms import form_of
from checks.fragments import counted_artworks, fragments, not_long_before
from checks.judgement import MAX_EVIDENCE, Measurement
from checks.relations import Catalogue
from checks.spec import Cutoffs, PoolsSpec
from checks.statements import compose, raw, render, template

RESULT = "pool_exhaustion_result"


def statement_name(catalogue: Catalogue) -> str:
    """The statement that is right for this catalogue."""
    if catalogue.spec.artworks.owner is not None:
        return "pool_exhaustion_by_owner"
    if catalogue.spec.users.created_at is not None:
        return "pool_exhaustion_by_user_age"
    return "pool_exhaustion"


def statements(catalogue: Catalogue, pools: PoolsSpec) -> dict[str, str]:
    """What is asked, by name, parameters unbound."""
    names = dict(fragments(catalogue, pools))
    names["distinct"] = raw("" if catalogue.pair_is_unique else "DISTINCT")
    if catalogue.spec.users.created_at is None:
        column = catalogue.artworks.columns[catalogue.spec.artworks.created_at]
        since = not_long_before(column, catalogue.spec.timezone, "pool_since")
        names["pool_artworks"] = counted_artworks(catalogue, since)
    else:
        # For a young user, any artwork may belong to the pool.
        names["pool_artworks"] = names["counted_artworks"]
    names["result"] = compose(template("checks", RESULT), names)
    name = statement_name(catalogue)
    return {name: render("checks", form_of(catalogue.engine, name), names)}


def parameters(cutoffs: Cutoffs, minimum: int) -> dict[str, object]:
    """What the statements bind."""
    before = cutoffs.created_before
    return {
        "legacy_until": cutoffs.legacy_until,
        "created_before": before,
        # Not legacy is: after the one or not before the other.
        "pool_since": cutoffs.legacy_until if before is None else min(cutoffs.legacy_until, before),
        "minimum": minimum,
        "evidence": MAX_EVIDENCE,
    }


async def measure(
    connection: AsyncConnection,
    catalogue: Catalogue,
    pools: PoolsSpec,
    cutoffs: Cutoffs,
    *,
    minimum: int,
) -> Measurement:
    """Count the users of the audience with fewer than `minimum` unseen artworks in their pool.

    `seen_share`, 0 to 1, is the share of all those pools that has been seen; it is left out where
    they are empty. Evidence are the users with the least unseen.
    """
    (statement,) = statements(catalogue, pools).values()
    result = await connection.exec_driver_sql(statement, parameters(cutoffs, minimum))
    row = result.one()
    numbers: dict[str, float] = {"users": row.users, "exhausted": row.exhausted}
    seen = ""
    if row.pool:
        numbers["seen_share"] = row.seen / row.pool
        seen = f" {numbers['seen_share']:.0%} of the pool has been seen."
    return Measurement(
        value=row.exhausted,
        message=f"{row.exhausted:,} of {row.users:,} users have fewer than {minimum} unseen"
        f" artworks.{seen}",
        numbers=numbers,
        evidence=tuple({"user_id": user} for user in row.worst),
    )
