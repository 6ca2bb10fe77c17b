"""What is left to show, and whether more comes.

pool_exhaustion  users of the audience who have nearly nothing unseen left. A user's pool is what
                 the app may still offer: fresh and storage, together with the artworks that would
                 be one of these had the user not seen them. Unseen are those without an impression
artwork_supply   how old the newest artwork is: it grows when generation has stopped

Each has a function for its statements, by name, parameters unbound, and one that measures.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from psycopg import sql
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.affected import affected_users
from checks.citus.forms import form_of
from checks.fragments import SKEW, counted_artworks, created_column, fragments
from checks.judgement import MAX_EVIDENCE, Measurement, iso_utc
from checks.page_visits import MOST_BITMAP, among_pages, bitmap_bytes, visiting_pages
from checks.pair_fragments import Pairing, pairing
from checks.relations import Catalogue, Engine
from checks.spec import Cutoffs, PoolsSpec
from checks.statements import Fragments, compose, raw, render, template

SUPPLY = "artwork_supply"
POOL = "pool_exhaustion"
_FORMS = {
    Pairing.LISTED: "pool_exhaustion_by_pair",
    Pairing.OWNED: "pool_exhaustion_by_owner",
    Pairing.BY_USER_AGE: "pool_exhaustion_by_user_age",
    Pairing.ALL: POOL,
}
YOUNG, YOUNG_SEEN = "pool_young", "pool_young_seen"
MOST_YOUNG = 5_000
"""So many young artworks, at most, are looked up one by one."""
NEWEST = 25
"""So many of the newest are looked up first for each that must be unseen: mostly they tell that
nobody has too few."""

_JOINED = raw(
    "SELECT {distinct} i.{user} AS user_id, a.id AS artwork_id{a_group}"
    " FROM cte_young AS a JOIN {impressions} AS i ON i.{artwork} = a.id"
)
_LOOKED_UP = raw("SELECT i.{user} AS user_id FROM {impressions} AS i WHERE {is_young}")
# Bound, so that PostgreSQL knows how many they are, and compares by a hash what no index finds.
_YOUNG_IDS = raw("%(young)s::text[]::{artwork_cast}[]")
_ARRAY = "A"
"""The category of types that are arrays, of which there are no arrays."""
_OF_EACH = "SELECT m.user_id, m.pool AS artworks, m.seen FROM cte_member AS m"


def pool_sql(catalogue: Catalogue, pools: PoolsSpec) -> dict[str, str]:
    """What `pool_exhaustion` asks: the one statement that is right for this catalogue, and before
    it the young artworks, where their impressions are looked up."""
    names = fragments(catalogue, pools)
    looked_up = _looks_young_up(catalogue)
    asked = {_FORMS[pairing(catalogue)]: _pool_text(catalogue, names, looked_up=looked_up)}
    if not looked_up:
        return asked
    ids = _YOUNG_IDS.format(**names)
    young = {**names, "pool_artworks": _pool_artworks(catalogue, names), "young_ids": ids}
    return {name: render("checks", name, young) for name in (YOUNG, YOUNG_SEEN)} | asked


def _pool_text(catalogue: Catalogue, names: Fragments, *, looked_up: bool) -> str:
    end = compose(template("checks", "pool_exhaustion_result"), names)
    return _pools(catalogue, names, end, looked_up=looked_up).as_string(None)


def _looks_young_up(catalogue: Catalogue) -> bool:
    """Whether an index may find the impressions of young artworks for less than a pass over all:
    where the pages that these lie in can be remembered, and each is one pair."""
    spec = catalogue.spec.impressions
    if pairing(catalogue) is not Pairing.ALL or catalogue.engine is Engine.CITUS:
        return False
    if catalogue.spec.pairs.same or not catalogue.pair_is_unique:
        return False
    if catalogue.artworks.columns[catalogue.spec.artworks.id].category == _ARRAY:
        return False
    index = catalogue.impressions.index_leading_with(spec.artwork)
    return index is not None and bitmap_bytes(catalogue.impressions) <= MOST_BITMAP


def exhausted_sql(catalogue: Catalogue, pools: PoolsSpec) -> str:
    """How many users of a plan have less than `minimum` in their pool; binds what
    `pool_exhaustion` and the census bind."""
    names = fragments(catalogue, pools)
    parts = {
        "pools": _pools(catalogue, names, raw(_OF_EACH), looked_up=False),
        "affected_users": affected_users(catalogue, names),
    }
    return render("checks", "plan_exhausted", parts)


def _pools(
    catalogue: Catalogue, names: Fragments, end: sql.Composable, *, looked_up: bool
) -> sql.Composed:
    distinct = raw("" if catalogue.pair_is_unique else "DISTINCT")
    form = template("checks", form_of(catalogue.engine, _FORMS[pairing(catalogue)]))
    ids, shown = _YOUNG_IDS.format(**names), _LOOKED_UP if looked_up else _JOINED
    parts = {
        **names,
        "distinct": distinct,
        "pool_artworks": _pool_artworks(catalogue, names),
        "is_young": among_pages(raw("i.{artwork}").format(**names), ids),
        "is_asked": raw("a.id = ANY ({})").format(ids) if looked_up else raw("TRUE"),
    }
    return compose(form, {**parts, "result": end, "young_shown": shown.format(**parts)})


def _pool_artworks(catalogue: Catalogue, names: Fragments) -> sql.Composable:
    """The artworks that a pool may have."""
    if catalogue.spec.users.created_at is None and catalogue.since is None:
        return counted_artworks(catalogue, created_column(catalogue).not_long_before("pool_since"))
    # For a young user or a pair of late, any artwork may belong to the pool.
    return names["counted_artworks"]


def pool_parameters(cutoffs: Cutoffs, minimum: int) -> dict[str, object]:
    """What `pool_exhaustion` binds."""
    before = cutoffs.created_before
    return {
        "legacy_until": cutoffs.legacy_until,
        "created_before": before,
        # Not legacy is: after the one or not before the other.
        "pool_since": cutoffs.legacy_until if before is None else min(cutoffs.legacy_until, before),
        "minimum": minimum,
        "most_young": MOST_YOUNG + 1,
        "evidence": MAX_EVIDENCE,
    }


async def measure_pool(
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
    values = pool_parameters(cutoffs, minimum)
    asked = pool_sql(catalogue, pools)
    row = None
    if YOUNG in asked:
        row = await _looked_up(connection, catalogue, asked, values, minimum)
    if row is None:
        whole = _pool_text(catalogue, fragments(catalogue, pools), looked_up=False)
        row = (await connection.exec_driver_sql(whole, values)).one()._asdict()
    users, exhausted = row["users"], row["exhausted"]
    numbers: dict[str, float] = {"users": users, "exhausted": exhausted}
    seen = ""
    if row["pool"]:
        numbers["seen_share"] = row["seen"] / row["pool"]
        seen = f" {numbers['seen_share']:.0%} of the pool has been seen."
    return Measurement(
        value=exhausted,
        message=f"{exhausted:,} of {users:,} users have fewer than {minimum} unseen"
        f" artworks.{seen}",
        numbers=numbers,
        evidence=tuple({"user_id": user} for user in row["worst"]),
    )


async def _looked_up(
    connection: AsyncConnection,
    catalogue: Catalogue,
    asked: Mapping[str, str],
    values: Mapping[str, object],
    minimum: int,
) -> dict[str, Any] | None:
    """What the statement finds that looks the young artworks up; None where they are too many.

    Whoever has enough of the newest alone has enough of all. Where that is everybody, all that is
    left to count is how often the others were seen: each impression is of a user of the audience.
    """
    found = await connection.exec_driver_sql(asked[YOUNG], values)
    young = [row.id for row in found]
    if len(young) > MOST_YOUNG:
        return None
    newest, proved = young[: minimum * NEWEST], catalogue.impressions_belong_to_users
    if catalogue.spec.users.where is not None or not proved or len(newest) * 2 > len(young):
        newest = young
    async with visiting_pages(connection, bitmap_bytes(catalogue.impressions)):
        row = await _exhausted(connection, asked, values, newest)
        if row["exhausted"] and newest != young:
            newest, row = young, await _exhausted(connection, asked, values, young)
    if newest != young:
        seen = await connection.exec_driver_sql(asked[YOUNG_SEEN], {**values, "young": young})
        row |= {"pool": row["users"] * len(young), "seen": seen.scalar_one()}
    return row


async def _exhausted(
    connection: AsyncConnection,
    asked: Mapping[str, str],
    values: Mapping[str, object],
    young: Sequence[str],
) -> dict[str, Any]:
    found = await connection.exec_driver_sql(asked[POOL], {**values, "young": young})
    return found.one()._asdict()


def supply_sql(catalogue: Catalogue, pools: PoolsSpec) -> dict[str, str]:
    """What `artwork_supply` asks."""
    by_now = created_column(catalogue).not_long_after("future")
    names = {**fragments(catalogue, pools), "may_be_created_by_now": by_now}
    return {SUPPLY: render("checks", SUPPLY, names)}


async def measure_supply(
    connection: AsyncConnection, catalogue: Catalogue, pools: PoolsSpec, cutoffs: Cutoffs
) -> Measurement:
    """The age in seconds of the newest artwork that is not in the future; infinite without any."""
    statement = supply_sql(catalogue, pools)[SUPPLY]
    # An app server's clock may be a little ahead of the database's.
    result = await connection.exec_driver_sql(statement, {"future": cutoffs.now + SKEW})
    newest = result.one_or_none()
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
