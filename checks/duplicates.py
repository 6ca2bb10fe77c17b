"""`duplicate_impressions`: pairs with more than one impression.

They make the census dearer (it has to fold them), and an undo or an upsert ambiguous.
"""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.fragments import fragments
from checks.judgement import MAX_EVIDENCE, Measurement, count_of
from checks.relations import Catalogue
from checks.spec import Cutoffs, PoolsSpec
from checks.statements import raw, render

STATEMENT = "duplicate_impressions"

_USER_FIRST = raw("i.{user}, i.{artwork}")
_ARTWORK_FIRST = raw("i.{artwork}, i.{user}")


def statements(catalogue: Catalogue, pools: PoolsSpec) -> dict[str, str]:
    """What is asked, by name, parameters unbound."""
    names = fragments(catalogue, pools)
    # PostgreSQL before 17 groups in the order that is written, whatever the index's is.
    keys = _ARTWORK_FIRST if _index_begins_with_artwork(catalogue) else _USER_FIRST
    keys_named = keys.format(user=names["user"], artwork=names["artwork"])
    return {STATEMENT: render("checks", STATEMENT, {**names, "keys": keys_named})}


async def measure(
    connection: AsyncConnection, catalogue: Catalogue, pools: PoolsSpec, cutoffs: Cutoffs
) -> Measurement:
    """Count the surplus impressions: one a pair is right. Skipped where an index refuses them."""
    spec = catalogue.spec.impressions
    index = catalogue.impressions.unique_on(spec.user, spec.artwork)
    if index is not None:
        return Measurement(
            value=None,
            message=f"Impossible: the unique index {index.name} refuses duplicates.",
            skipped=index.name,
        )
    result = await connection.exec_driver_sql(
        statements(catalogue, pools)[STATEMENT], {"evidence": MAX_EVIDENCE}
    )
    found = result.all()
    pairs = found[0].pairs if found else 0
    impressions = found[0].impressions if found else 0
    surplus = impressions - pairs
    return Measurement(
        value=surplus,
        message=f"{count_of(surplus, 'surplus impression')} of {count_of(pairs, 'pair')}."
        if surplus
        else "No pair has more than one impression.",
        numbers={"pairs": pairs, "impressions": impressions, "surplus": surplus},
        evidence=tuple({"user_id": row.user_id, "artwork_id": row.artwork_id} for row in found),
    )


def _index_begins_with_artwork(catalogue: Catalogue) -> bool:
    """Whether only an index on (artwork, user) has the pairs in order."""
    spec = catalogue.spec.impressions
    orders = {
        index.columns[:2]
        for index in catalogue.impressions.indexes
        if index.valid and not index.partial and index.method == "btree"
    }
    return (spec.artwork, spec.user) in orders and (spec.user, spec.artwork) not in orders
