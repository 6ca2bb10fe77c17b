"""The census: how many pairs are tracked, fresh, storage, legacy_untracked, in one snapshot.

Several forms of the same count; `choose_form` takes the cheapest that the catalogue proves exact.
All of them are proved equal to the plain anti-join by property-based tests.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Any

from psycopg.sql import Composed
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.citus.forms import form_of
from checks.errors import StatementError
from checks.fragments import few_artworks, fragments
from checks.page_visits import MOST_BITMAP, bitmap_bytes, visiting_pages
from checks.pair_fragments import is_counted_by_pair
from checks.relations import Catalogue, Column, Engine, Relation
from checks.spec import Cutoffs, PairsSpec, PoolsSpec
from checks.statements import Fragments, compose, raw, render, template

PACKAGE = "checks"

MOST_NAMED = 10_000
"""So many legacy pairs, at most, are named."""
MOST_INCOMPLETE = 1000
"""So many incomplete artworks a census names; census_result has one more."""
PROBE_COST = 100
"""Looking one impression up, where reading one of all in a pass is 1."""
VISIBLE_SHARE = 0.8
"""Of a table's pages, so many at least have only rows that are visible to all where each artwork is
probed for all its impressions: those of other pages are looked up in the table one by one, where a
pass would read page after page."""
SHARED_FROM = 1_000_000
"""Impressions from which on two sessions share the probes: what a second one spares, 20 ms, is then
more than what its start costs near the database."""
PASS_SHARE = 2
"""One of so many impressions, at most, is what a pass about few artworks is for."""
PAGES_SHARE = 6
"""One of so many impressions, at most, is looked up by pages: wherever they lie in the table, that
costs no more than to join each impression with its artwork."""
COVERED_SHARE = 2
"""The same where an index has artwork and user, and no page is visited."""


class CensusForm(StrEnum):
    """The forms, cheapest first; each is the name of its SQL file."""

    BY_PROBE = "census_by_probe"
    BY_ARTWORK = "census_by_artwork"
    BY_ARTWORK_JOINED = "census_by_artwork_joined"
    BY_USER_AGE = "census_by_user_age"
    BY_OWNER = "census_by_owner"
    BY_PAIR = "census_by_pair"

    @classmethod
    def _missing_(cls, value: object) -> CensusForm | None:
        """What censuses are called in records that an earlier version has left."""
        return cls.BY_ARTWORK if value == "census_by_total" else None


_BY_COUNTING = tuple(CensusForm)[: tuple(CensusForm).index(CensusForm.BY_OWNER)]
"""Each of these is exact wherever one before it is."""


@dataclass(frozen=True, slots=True)
class Census:
    """One count of everything, at one moment, from one snapshot. All counts are pairs."""

    as_of: datetime
    form: CensusForm
    tracked: int
    fresh: int
    storage: int
    legacy_untracked: int
    appeared: int
    """Legacy pairs whose artwork is not younger than the last verified heal's cutoff."""
    legacy_artworks: int
    """Distinct artworks with at least one legacy pair."""
    oldest_legacy_created: float | None
    """Unix seconds; None while there are no legacy pairs."""
    audience: int
    """Users that are counted."""
    users: int
    """All users, in the audience or not."""
    duration_seconds: float
    incomplete: tuple[str, ...] | None = field(default=None, repr=False)
    """The ids of those artworks, as text; None where they are more than MOST_INCOMPLETE, or not
    known. Together with `as_of` they say what is missing; nothing else is."""
    young_tracked: int | None = field(default=None, repr=False)
    """Tracked pairs whose artwork is not old enough to be legacy; None where not known."""

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """Tracked, fresh, storage, legacy_untracked."""
        return self.tracked, self.fresh, self.storage, self.legacy_untracked

    @property
    def pairs(self) -> int:
        """All pairs: the four counts add up to this, exactly."""
        return self.tracked + self.fresh + self.storage + self.legacy_untracked

    @property
    def aged(self) -> int:
        """Legacy pairs that have merely grown old since the last verified heal."""
        return self.legacy_untracked - self.appeared

    @property
    def untracked_users(self) -> int:
        """Users outside the audience, for having no impression."""
        return self.users - self.audience

    @property
    def legacy_share(self) -> float:
        """legacy_untracked as a share of all pairs, 0 to 1; 0 where there are no pairs."""
        return self.legacy_untracked / self.pairs if self.pairs else 0.0


_Row = dict[str, Any]
"""A census as its statement finds it."""
_Half = Callable[[AsyncConnection], Awaitable[_Row]]
SideBySide = Callable[[_Half, _Half], Awaitable[tuple[_Row, _Row]]]
"""What two sessions find that see the same rows, at a time where there are two."""


@dataclass(frozen=True, slots=True)
class Few:
    """Artworks that a statement looks at alone."""

    artworks: tuple[str, ...]
    """Their ids as text."""
    one_pass: bool
    """Their impressions are picked out of a pass over all, and not looked up."""
    page_bytes: int | None = None
    """In place of a pass, they may be looked up so that each page is visited once: bytes that it
    takes to remember the pages. None where that is not cheaper."""


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


def choose_form(catalogue: Catalogue) -> tuple[CensusForm, str]:
    """The cheapest exact form for this catalogue, and why it is that one."""
    form, reason = _least_exact(catalogue)
    if form is CensusForm.BY_PROBE and not probes_artworks(catalogue):
        return CensusForm.BY_ARTWORK, f"{reason}, but one pass over all impressions is cheaper"
    return form, reason


def _least_exact(catalogue: Catalogue) -> tuple[CensusForm, str]:
    """The first form that is exact, whatever it costs, and why none before it is."""
    spec = catalogue.spec
    if spec.pairs.through is not None:
        return CensusForm.BY_PAIR, "catalog.pairs.through lists the pairs"
    if is_counted_by_pair(catalogue):
        return CensusForm.BY_PAIR, "columns of catalog.pairs.same are of different types"
    if spec.artworks.owner is not None:
        return CensusForm.BY_OWNER, "artworks pair with their owner only"
    if spec.users.created_at is not None:
        return CensusForm.BY_USER_AGE, "pairs are judged by the user's creation time too"
    if spec.pairs.same:
        return CensusForm.BY_ARTWORK_JOINED, "user and artwork agree in catalog.pairs.same"
    if spec.users.where is not None:
        return CensusForm.BY_ARTWORK_JOINED, "catalog.users.where leaves users out"
    if not catalogue.pair_is_unique:
        return CensusForm.BY_ARTWORK_JOINED, "nothing makes (user, artwork) unique"
    if not catalogue.impressions_belong_to_users:
        return CensusForm.BY_ARTWORK_JOINED, "no validated foreign key ties impressions to users"
    reason = "(user, artwork) is unique and every impression belongs to a counted user"
    if catalogue.engine is Engine.CITUS:
        return CensusForm.BY_ARTWORK, f"{reason}; Citus refuses to probe for each artwork"
    if catalogue.impressions.index_leading_with(spec.impressions.artwork) is None:
        return CensusForm.BY_ARTWORK, f"{reason}; no index leads with the artwork"
    return CensusForm.BY_PROBE, f"{reason}, and an index leads with the artwork"


def probes_artworks(catalogue: Catalogue) -> bool:
    """Whether to count each artwork's impressions by a probe is cheaper than one pass."""
    spec = catalogue.spec
    return _probing_pays(catalogue, catalogue.artworks, spec.artworks.id, spec.impressions.artwork)


def probes_users(catalogue: Catalogue) -> bool:
    """The same of each user's."""
    spec = catalogue.spec
    return _probing_pays(catalogue, catalogue.users, spec.users.id, spec.impressions.user)


def _probing_pays(catalogue: Catalogue, table: Relation, key: str, column: str) -> bool:
    """Whether a probe for each row of `table`, whose `key` is what `column` of the impressions has,
    is cheaper than one pass that groups all of them, as far as the server's statistics know: not
    where each has few impressions, where an index alone does not say what counts, nor where each
    probe would be one of many indexes, or of none.
    """
    impressions = catalogue.impressions.beneath
    if catalogue.impressions.index_leading_with(column) is None:
        return False
    if impressions.estimated_rows < max(1, table.beneath.estimated_rows * PROBE_COST):
        return False
    whole = (
        impressions.visible_bytes >= VISIBLE_SHARE * impressions.row_bytes
        and not impressions.partition_key
        and catalogue.counts_every_row
    )
    return whole and _are_alike(catalogue.impressions.columns[column], table.columns[key])


def _are_alike(one: Column, other: Column) -> bool:
    """Whether an index of either is sure to be used to look the other up."""
    pair = {one.base_oid, other.base_oid}
    alike = len(pair) == 1 or any(pair <= family for family in _FAMILIES)
    return alike and one.collation_oid == other.collation_oid


_FAMILIES = ({20, 21, 23}, {25, 1043})
"""pg_type.oid of types that one index compares: bigint, smallint and integer; text and varchar."""


def exact_forms(catalogue: Catalogue) -> tuple[CensusForm, ...]:
    """Every form that is exact for this catalogue, cheapest first for a large table."""
    form, _ = _least_exact(catalogue)
    by_counting = _BY_COUNTING[_BY_COUNTING.index(form) :] if form in _BY_COUNTING else (form,)
    paired = catalogue.spec.pairs != PairsSpec() and form is not CensusForm.BY_PAIR
    return (*by_counting, CensusForm.BY_PAIR) if paired else by_counting


def census_sql(form: CensusForm, names: Fragments, engine: Engine = Engine.POSTGRESQL) -> str:
    """The statement of `form`, parameters unbound."""
    result = compose(template(PACKAGE, "census_result"), names)
    return render(PACKAGE, form_of(engine, form.value), {**names, "result": result})


def incomplete_few(census: Census, catalogue: Catalogue) -> Few | None:
    """The incomplete artworks, where looking at these alone is cheaper than at everything; else
    None: look at everything.

    Each of them is looked up for every user of the audience, a probe of an index and, where that
    has not the user as well, mostly one of the table. Where these are too many, each page that they
    lie in is visited once, or one pass over the impressions still spares what is done with those of
    all other artworks. Where artworks pair with their owner only, each is one probe in any case.
    """
    found, spec = census.incomplete, catalogue.spec
    if found is None or catalogue.engine is Engine.CITUS:
        return None
    if spec.artworks.owner is not None:
        return Few(found, one_pass=False)
    probes = len(found) * census.audience
    if probes * PASS_SHARE > census.tracked:
        return None
    has_index = catalogue.impressions.index_leading_with(spec.impressions.artwork) is not None
    many = probes * PROBE_COST > census.tracked and not _covers_pairs(catalogue)
    memory = bitmap_bytes(catalogue.impressions, probes)
    scattered = probes * PAGES_SHARE > census.tracked or memory > MOST_BITMAP
    by_pages = has_index and many and not scattered
    return Few(found, not has_index or many, page_bytes=memory if by_pages else None)


def affected_users_name(catalogue: Catalogue) -> str:
    """The statement that lists affected users on this catalogue."""
    if is_counted_by_pair(catalogue):
        return "affected_users_by_pair"
    if catalogue.spec.artworks.owner is not None:
        return "affected_users_by_owner"
    if catalogue.spec.users.created_at is not None:
        return "affected_users_by_user_age"
    return "affected_users"


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
    "affected_users_by_pair": {"missing": ", array_agg(p.artwork_id::text) AS missing"},
    "affected_users_by_owner": {"missing": ", array_agg(a.id::text) AS missing"},
    "affected_users_by_user_age": {
        **_MASKED,
        "missing": (
            ", ARRAY(SELECT a.id::text FROM cte_listed AS a"
            " JOIN {counted_users} AS u ON u.id = t.user_id AND {agrees}"
            " WHERE coalesce(u.created_at, '-infinity') <= a.created_at AND {not_seen}) AS missing"
        ),
    },
    "affected_users": {
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
    name = affected_users_name(catalogue)
    names = {**names, **_UNNAMED, "not_seen": _NOT_SEEN}
    more = {key: raw(text).format(**names) for key, text in _NAMED[name].items()} if named else {}
    return compose(template(PACKAGE, form_of(catalogue.engine, name)), {**names, **more})


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
    share = COVERED_SHARE if _covers_pairs(catalogue) else PAGES_SHARE
    return young * share <= census.tracked and _young_bytes(census, catalogue) <= MOST_BITMAP


def totals_are_exact(catalogue: Catalogue, pools: PoolsSpec) -> bool:
    """Whether all impressions, less those of young artworks, are tracked pairs of legacy ones."""
    return (
        _least_exact(catalogue)[0] is CensusForm.BY_PROBE
        and catalogue.spec.artworks.where is None
        and catalogue.created.not_null
        and catalogue.impressions_belong_to_artworks
        and pools.legacy_created_before is None
    )


def _covers_pairs(catalogue: Catalogue) -> bool:
    spec = catalogue.spec.impressions
    return catalogue.impressions.index_leading_with(spec.artwork, beside=spec.user) is not None


def _young_bytes(census: Census, catalogue: Catalogue) -> int:
    """What it takes at most to remember the pages of the young artworks' impressions."""
    if _covers_pairs(catalogue):
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


def parameters(
    cutoffs: Cutoffs,
    verified_until: datetime | None = None,
    *,
    few: Few | None = None,
) -> dict[str, object]:
    """What the statements of this module bind; `verified_until` is the last verified cutoff, `few`
    the artworks that a statement of `few_artworks` is about."""
    return {
        "fresh_after": cutoffs.fresh_after,
        "legacy_until": cutoffs.legacy_until,
        "created_before": cutoffs.created_before,
        "verified_until": verified_until,
        "incomplete": None if few is None else list(few.artworks),
        "one_pass": few is not None and few.one_pass,
        "halves": 0,
        "half": 0,
        "audience": None,
    }


async def take_census(
    connection: AsyncConnection,
    catalogue: Catalogue,
    pools: PoolsSpec,
    cutoffs: Cutoffs,
    *,
    verified_until: datetime | None = None,
    form: CensusForm | None = None,
    side_by_side: SideBySide | None = None,
) -> Census:
    """Count everything in the connection's snapshot.

    The caller opens a read-only REPEATABLE READ transaction, so that further statements see the
    same rows. `form` overrides the choice; it must be one of `exact_forms`. `side_by_side` is given
    what two sessions may do at a time where that pays. Raises StatementError when the counts
    contradict each other, which means that the catalogue's proof no longer holds.
    """
    chosen = choose_form(catalogue)[0] if form is None else form
    names = fragments(catalogue, pools)
    statement = census_sql(chosen, names, catalogue.engine)
    values = parameters(cutoffs, verified_until)

    started = time.perf_counter()
    if chosen is CensusForm.BY_PROBE and _is_shared(catalogue, side_by_side):
        values["audience"] = await audience_size(connection, names)
    else:
        side_by_side = None
    counts = await _in_halves(connection, side_by_side, partial(_counted, statement, values))
    pairs, least_unseen = counts.pop("pairs"), counts.pop("least_unseen")
    named = counts.pop("incomplete") or ()
    census = Census(
        as_of=cutoffs.now.astimezone(UTC),
        form=chosen,
        oldest_legacy_created=counts.pop("oldest_legacy"),
        duration_seconds=time.perf_counter() - started,
        incomplete=None if len(named) > MOST_INCOMPLETE else tuple(named),
        **counts,
    )
    if least_unseen < 0 or census.pairs != pairs:
        raise StatementError(
            f"The census contradicts itself: its four counts add up to {census.pairs} pairs,"
            f" expected {pairs}, and {least_unseen} was the least number of unseen pairs."
            " The tables no longer keep what their constraints promise; run `conservator doctor`."
        )
    return census


async def audience_size(connection: AsyncConnection, names: Fragments) -> int:
    """How many users are counted."""
    found = await connection.exec_driver_sql(render(PACKAGE, "audience_size", names))
    size: int = found.scalar_one()
    return size


async def _counted(
    statement: str, values: Mapping[str, object], half: Mapping[str, int], on: AsyncConnection
) -> _Row:
    found = await on.exec_driver_sql(statement, {**values, **half})
    return found.one()._asdict()


def _is_shared(catalogue: Catalogue, side_by_side: SideBySide | None) -> bool:
    """Whether two sessions are to be had, and worth their while."""
    large = catalogue.impressions.beneath.estimated_rows >= SHARED_FROM
    return large and side_by_side is not None


async def _in_halves(
    connection: AsyncConnection,
    side_by_side: SideBySide | None,
    count: Callable[[Mapping[str, int], AsyncConnection], Awaitable[_Row]],
) -> _Row:
    """The row that `count` finds: at once, or of two halves by two sessions."""
    if side_by_side is None:
        return await count({"halves": 0, "half": 0}, connection)
    first, second = ({"halves": 1, "half": half} for half in (0, 1))
    return _joined(*await side_by_side(partial(count, first), partial(count, second)))


_OF_ALL = ("audience", "users")
"""Of a census's row, what does not depend on its artworks; `_LEAST` of it is the least of all."""
_LEAST = ("least_unseen", "oldest_legacy")


def _joined(one: _Row, other: _Row) -> _Row:
    """The row of everything from those of two halves."""
    joined: _Row = {}
    for name, value in one.items():
        known = [each for each in (value, other[name]) if each is not None]
        if name in _OF_ALL:
            joined[name] = value
        elif name in _LEAST:
            joined[name] = min(known, default=None)
        else:
            joined[name] = sum(known[1:], known[0]) if known else None
    return joined


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
        row = await _counted(statement, parameters(cutoffs), {}, connection)
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
) -> _Row:
    names, memory = fragments(catalogue, pools), _young_bytes(census, catalogue)
    statement = affected_users_count_sql(catalogue, names, by_total=True)
    if not (probes_users(catalogue) and _is_shared(catalogue, side_by_side)):
        side_by_side = None

    async def count(half: Mapping[str, int], on: AsyncConnection) -> _Row:
        async with visiting_pages(on, memory, forced=False):
            return await _counted(statement, parameters(cutoffs), half, on)

    return await _in_halves(connection, side_by_side, count)


async def find_affected(
    connection: AsyncConnection,
    catalogue: Catalogue,
    pools: PoolsSpec,
    cutoffs: Cutoffs,
    few: Few,
    *,
    named: bool,
) -> _Row:
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
        return await _counted(statement, parameters(cutoffs, few=few), {}, connection)


def missing_pairs(row: _Row) -> tuple[Pair, ...] | None:
    """The legacy pairs that `find_affected` named; None where they were not to be named."""
    if "user_ids" not in row:
        return None
    return tuple(zip(row["user_ids"] or (), row["artwork_ids"] or (), strict=True))
