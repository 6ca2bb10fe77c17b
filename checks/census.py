"""The census: how many pairs are tracked, fresh, storage, legacy_untracked, in one snapshot.

Several forms of the same count; `choose_form` takes the cheapest that the catalogue proves exact.
All of them are proved equal to the plain anti-join by property-based tests.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.citus.forms import form_of
from checks.errors import StatementError
from checks.fragments import fragments
from checks.halves import SideBySide, counted, in_halves, is_shared
from checks.page_visits import MOST_BITMAP, bitmap_bytes
from checks.pair_fragments import is_counted_by_pair
from checks.relations import Catalogue, Column, Engine, Relation
from checks.spec import Cutoffs, PairsSpec, PoolsSpec
from checks.statements import Fragments, compose, render, template

PACKAGE = "checks"

MOST_INCOMPLETE = 1000
"""So many incomplete artworks a census names; census_result has one more."""
PROBE_COST = 100
"""Looking one impression up, where reading one of all in a pass is 1."""
VISIBLE_SHARE = 0.8
"""Of a table's pages, so many at least have only rows that are visible to all where each artwork is
probed for all its impressions: those of other pages are looked up in the table one by one, where a
pass would read page after page."""
PASS_SHARE = 2
"""One of so many impressions, at most, is what a pass about few artworks is for."""
PAGES_SHARE = 6
"""One of so many impressions, at most, is looked up by pages: wherever they lie in the table, that
costs no more than to join each impression with its artwork."""


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


def choose_form(catalogue: Catalogue) -> tuple[CensusForm, str]:
    """The cheapest exact form for this catalogue, and why it is that one."""
    form, reason = least_exact(catalogue)
    if form is CensusForm.BY_PROBE and not probes_artworks(catalogue):
        return CensusForm.BY_ARTWORK, f"{reason}, but one pass over all impressions is cheaper"
    return form, reason


def least_exact(catalogue: Catalogue) -> tuple[CensusForm, str]:
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
    form, _ = least_exact(catalogue)
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
    many = probes * PROBE_COST > census.tracked and not covers_pairs(catalogue)
    memory = bitmap_bytes(catalogue.impressions, probes)
    scattered = probes * PAGES_SHARE > census.tracked or memory > MOST_BITMAP
    by_pages = has_index and many and not scattered
    return Few(found, not has_index or many, page_bytes=memory if by_pages else None)


def covers_pairs(catalogue: Catalogue) -> bool:
    """Whether an index has artwork and user, in this order, so that no page is visited."""
    spec = catalogue.spec.impressions
    return catalogue.impressions.index_leading_with(spec.artwork, beside=spec.user) is not None


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
    if chosen is CensusForm.BY_PROBE and is_shared(catalogue, side_by_side):
        values["audience"] = await audience_size(connection, names)
    else:
        side_by_side = None
    counts = await in_halves(connection, side_by_side, partial(counted, statement, values))
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
