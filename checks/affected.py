"""How many users have legacy pairs, and which pairs these are, where they are few.

Counted in the snapshot of a census, and compared with it: both must find as many pairs.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime

from psycopg.sql import Composed
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.census import (
    PACKAGE,
    PAGES_SHARE,
    Census,
    CensusForm,
    Few,
    covers_pairs,
    incomplete_few,
    least_exact,
    parameters,
    probes_users,
)
from checks.citus.forms import form_of
from checks.errors import StatementError
from checks.fragments import few_artworks, fragments
from checks.halves import Row, SideBySide, counted, in_halves, is_shared
from checks.page_visits import MOST_BITMAP, bitmap_bytes, visiting_pages
from checks.pair_fragments import Pairing, pairing
from checks.relations import Catalogue
from checks.spec import Cutoffs, PoolsSpec
from checks.statements import Fragments, compose, raw, render, template

MOST_NAMED = 10_000
"""So many legacy pairs, at most, are named."""
COVERED_SHARE = 2
"""As PAGES_SHARE, where an index has artwork and user, and no page is visited."""

Pair = tuple[str, str]
"""The ids of a user and of an artwork, as text."""


@dataclass(frozen=True, slots=True)
class AffectedUsers:
    """How many users have at least one legacy pair, and how many have none."""

    as_of: datetime
    affected: int
    clear: int
    duration_seconds: float
    missing: tuple[Pair, ...] | None = field(default=None, repr=False)
    """Their legacy pairs; None where these may be many, or are not known."""


def none_affected(census: Census) -> AffectedUsers:
    """What a census without legacy pairs says of the users, for nothing."""
    return AffectedUsers(census.as_of, 0, census.audience, 0.0)


_FORMS = {
    Pairing.LISTED: "affected_users_by_pair",
    Pairing.OWNED: "affected_users_by_owner",
    Pairing.BY_USER_AGE: "affected_users_by_user_age",
    Pairing.ALL: "affected_users",
}
_UNNAMED: Fragments = dict.fromkeys(
    ("artwork_mask", "once", "a_mask", "seen_mask", "listed", "missing"), raw("")
)
_MASKED = {
    "artwork_mask": (
        ", set_bit(repeat('0', cardinality(%(incomplete)s::text[]))::bit varying,"
        " array_position(%(incomplete)s::text[], a.id::text) - 1, 1) AS mask"
    ),
    "once": " OFFSET 0",
    "a_mask": ", a.mask",
    "seen_mask": ", bit_or(mask) AS mask",
    "listed": ",\ncte_listed AS MATERIALIZED (SELECT a.* FROM cte_legacy_artwork AS a)",
}
"""One bit an artwork: what a user has seen is remembered in a few bytes. OFFSET keeps the planner
from computing it for each impression."""
_NOT_SEEN = raw("coalesce((seen.mask | a.mask) <> seen.mask, TRUE)")
_NAMED = {
    Pairing.LISTED: {"missing": ", array_agg(p.artwork_id::text) AS missing"},
    Pairing.OWNED: {"missing": ", array_agg(a.id::text) AS missing"},
    Pairing.BY_USER_AGE: {
        **_MASKED,
        "missing": (
            ", ARRAY(SELECT a.id::text FROM cte_listed AS a"
            " JOIN {counted_users} AS u ON u.id = t.user_id AND {agrees}"
            " WHERE coalesce(u.created_at, '-infinity') <= a.created_at AND {not_seen}) AS missing"
        ),
    },
    Pairing.ALL: {
        **_MASKED,
        "missing": (
            ", ARRAY(SELECT a.id::text FROM cte_listed AS a WHERE {agrees} AND {not_seen})"
            " AS missing"
        ),
    },
}
"""What makes each statement name the pairs, too, of the artworks `%(incomplete)s`."""


def affected_users(catalogue: Catalogue, names: Fragments, *, named: bool = False) -> Composed:
    """The rows (user_id, legacy) of affected users, to be put into a larger statement; where they
    are `named`, the ids of the artworks that each misses, too, as an array of text: `missing`."""
    paired = pairing(catalogue)
    names = {**names, **_UNNAMED, "not_seen": _NOT_SEEN}
    more = {key: raw(text).format(**names) for key, text in _NAMED[paired].items()} if named else {}
    form = form_of(catalogue.engine, _FORMS[paired])
    return compose(template(PACKAGE, form), {**names, **more})


def affected_by_total(census: Census, catalogue: Catalogue, pools: PoolsSpec) -> bool:
    """Whether two totals a user say who is affected, at less cost than a look at each pair.

    Exact where every impression belongs to a counted user and to a counted artwork. All impressions
    have to come out of an index in the order of their users, and those of young artworks out of one
    that leads with the artwork: where that has not the user as well, each page that they lie in is
    visited once, and remembered.
    """
    spec, young = catalogue.spec.impressions, census.young_tracked
    if young is None or not totals_are_exact(catalogue, pools):
        return False
    if (
        not catalogue.counts_every_row
        or catalogue.impressions.index_leading_with(spec.user) is None
    ):
        return False
    share = COVERED_SHARE if covers_pairs(catalogue) else PAGES_SHARE
    return young * share <= census.tracked and _young_bytes(census, catalogue) <= MOST_BITMAP


def totals_are_exact(catalogue: Catalogue, pools: PoolsSpec) -> bool:
    """Whether all impressions, less those of young artworks, are tracked pairs of legacy ones."""
    return (
        least_exact(catalogue)[0] is CensusForm.BY_PROBE
        and catalogue.spec.artworks.where is None
        and catalogue.created.not_null
        and catalogue.impressions_belong_to_artworks
        and pools.legacy_created_before is None
    )


def _young_bytes(census: Census, catalogue: Catalogue) -> int:
    """What it takes at most to remember the pages of the young artworks' impressions."""
    if covers_pairs(catalogue):
        return 0
    return bitmap_bytes(catalogue.impressions, census.young_tracked or 0)


_GROUPED = raw(
    "SELECT u.id AS user_id, coalesce(shown.artworks, 0) AS artworks"
    " FROM {counted_users} AS u LEFT JOIN ("
    "SELECT i.{user} AS user_id, count(*) AS artworks FROM {impressions} AS i GROUP BY i.{user}"
    ") AS shown ON shown.user_id = u.id"
)
_PROBED = raw(
    "SELECT u.id AS user_id,"
    " (SELECT count(*) FROM {impressions} AS i WHERE i.{user} = u.id) AS artworks"
    " FROM {counted_users} AS u"
    " WHERE pg_catalog.hashtext(u.id::text) & %(halves)s = %(half)s"
)


def affected_users_by_total(catalogue: Catalogue, names: Fragments) -> Composed:
    """The rows of `affected_users` from two totals a user, where `affected_by_total` says so; of
    half of the users where `halves` is bound to 1."""
    shown = (_PROBED if probes_users(catalogue) else _GROUPED).format(**names)
    return compose(template(PACKAGE, "affected_users_by_total"), {**names, "shown_of_each": shown})


def affected_users_count_sql(
    catalogue: Catalogue, names: Fragments, *, by_total: bool = False, named: bool = False
) -> str:
    """The statement that counts affected users and, for comparison, their legacy pairs; `by_total`
    where `affected_by_total` says so. `named`: says which pairs these are, too."""
    if by_total:
        affected = affected_users_by_total(catalogue, names)
    else:
        affected = affected_users(catalogue, names, named=named)
    name = "affected_users_named" if named else "affected_users_count"
    return render(PACKAGE, name, {"affected_users": affected})


async def count_affected_users(
    connection: AsyncConnection,
    catalogue: Catalogue,
    pools: PoolsSpec,
    cutoffs: Cutoffs,
    census: Census,
    *,
    side_by_side: SideBySide | None = None,
) -> AffectedUsers:
    """How many users are affected, in the snapshot that `census` was taken from.

    Costs several times the census, or little where few artworks are incomplete; nothing at all
    while there are no legacy pairs. `side_by_side` as for the census. Raises StatementError when
    its sum of legacy pairs is not the census's.
    """
    if census.legacy_untracked == 0:
        return none_affected(census)
    started = time.perf_counter()
    few = incomplete_few(census, catalogue)
    if few is not None:
        named = census.legacy_untracked <= MOST_NAMED
        row = await find_affected(connection, catalogue, pools, cutoffs, few, named=named)
    elif affected_by_total(census, catalogue, pools):
        row = await _affected_by_total(connection, catalogue, pools, cutoffs, census, side_by_side)
    else:
        statement = affected_users_count_sql(catalogue, fragments(catalogue, pools))
        row = await counted(statement, parameters(cutoffs), {}, connection)
    if row["legacy"] != census.legacy_untracked:
        raise StatementError(
            f"Two counts of one snapshot differ: {census.legacy_untracked} legacy pairs by artwork,"
            f" {row['legacy']} by user. Please run `conservator doctor`."
        )
    return AffectedUsers(
        census.as_of,
        row["affected"],
        census.audience - row["affected"],
        time.perf_counter() - started,
        missing_pairs(row),
    )


async def _affected_by_total(
    connection: AsyncConnection,
    catalogue: Catalogue,
    pools: PoolsSpec,
    cutoffs: Cutoffs,
    census: Census,
    side_by_side: SideBySide | None,
) -> Row:
    names, memory = fragments(catalogue, pools), _young_bytes(census, catalogue)
    statement = affected_users_count_sql(catalogue, names, by_total=True)
    if not (probes_users(catalogue) and is_shared(catalogue, side_by_side)):
        side_by_side = None

    async def count(half: Mapping[str, int], on: AsyncConnection) -> Row:
        async with visiting_pages(on, memory, forced=False):
            return await counted(statement, parameters(cutoffs), half, on)

    return await in_halves(connection, side_by_side, count)


async def find_affected(
    connection: AsyncConnection,
    catalogue: Catalogue,
    pools: PoolsSpec,
    cutoffs: Cutoffs,
    few: Few,
    *,
    named: bool,
) -> Row:
    """How many users are `affected`, who miss any of these artworks, and how many pairs that are:
    `legacy`. Where they are to be `named`, which: `missing_pairs`."""
    names = few_artworks(
        catalogue,
        fragments(catalogue, pools),
        one_pass=few.one_pass,
        by_pages=few.page_bytes is not None,
    )
    statement = affected_users_count_sql(catalogue, names, named=named)
    visits = nullcontext() if few.page_bytes is None else visiting_pages(connection, few.page_bytes)
    async with visits:
        return await counted(statement, parameters(cutoffs, few=few), {}, connection)


def missing_pairs(row: Row) -> tuple[Pair, ...] | None:
    """The legacy pairs that `find_affected` named; None where they were not to be named."""
    if "user_ids" not in row:
        return None
    return tuple(zip(row["user_ids"] or (), row["artwork_ids"] or (), strict=True))
