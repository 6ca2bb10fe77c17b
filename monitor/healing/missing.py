"""The pairs that a small heal is about, listed one by one.

Where a census found few pairs of few artworks legacy, these are listed once, before it is decided
whether to heal. All else follows from the list: what recurs, what is put aside, the plan's numbers
and its work list. The plan asks only which of them are missing still.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import accumulate

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.census import (
    AffectedUsers,
    Census,
    Few,
    audience_size,
    find_affected,
    incomplete_few,
    parameters,
)
from checks.spec import Cutoffs
from monitor.healing.statements import HealingStatements, Known
from monitor.state.control import Control

MOST_LISTED = 10_000
"""Pairs of a list, at most."""
MOST_PROBED = 100_000
"""Pairs that are looked up to make a list, at most: to look more up costs more than to count."""


@dataclass(frozen=True, slots=True)
class MissingPair:
    """A legacy pair of the audience. The ids as text."""

    user_id: str
    artwork_id: str
    created: float
    """When the artwork was created, in Unix seconds; infinite where its column says so."""
    appeared: bool
    """The artwork is not younger than the last verified heal's cutoff."""
    recurs: bool
    """It appeared, of a user that was enrolled before that heal, and was never put aside."""
    aside: bool
    """No automatic run writes it now: it waits in quarantine, or is left alone."""


@dataclass(frozen=True, slots=True)
class UserWork:
    """What a plan writes for one user, as the work list has it."""

    user_id: str
    found: int
    planned: int


@dataclass(frozen=True, slots=True)
class MissingPairs:
    """Of the artworks that a census found incomplete, what is missing by its cutoffs; in the order
    of the users."""

    found: Census
    pairs: tuple[MissingPair, ...]

    @property
    def census(self) -> Census:
        """The census as these pairs make it: everything else of it stays as it was found."""
        legacy, artworks = len(self.pairs), {pair.artwork_id for pair in self.pairs}
        return replace(
            self.found,
            tracked=self.found.tracked + self.found.legacy_untracked - legacy,
            legacy_untracked=legacy,
            appeared=sum(pair.appeared for pair in self.pairs),
            legacy_artworks=len(artworks),
            oldest_legacy_created=min((pair.created for pair in self.pairs), default=None),
            incomplete=tuple(sorted(artworks)),
        )

    @property
    def recurring(self) -> int:
        """Those that recur, as `count_recurring` counts them."""
        return sum(pair.recurs for pair in self.pairs)

    @property
    def aside(self) -> int:
        """Those that an automatic run leaves out, as `count_unwritable` counts them."""
        return sum(pair.aside for pair in self.pairs)

    def work(self, max_rows: int) -> list[UserWork]:
        """The work list of a run that writes so many rows, at most, as `work_list` makes it: the
        last user may be taken in part."""
        users = Counter(pair.user_id for pair in self.pairs if not pair.aside)
        before = accumulate(users.values(), initial=0)
        return [
            UserWork(user_id, found, min(found, max_rows - listed))
            for (user_id, found), listed in zip(users.items(), before, strict=False)
            if listed < max_rows
        ]


async def list_missing(
    connection: AsyncConnection,
    statements: HealingStatements,
    found: Census,
    control: Control,
    now: datetime,
    *,
    users: AffectedUsers | None = None,
) -> MissingPairs | None:
    """What is missing now of the artworks that `found` counts as incomplete, by its cutoffs; which
    of the pairs wait is judged by `now`. None where they are many, or of many artworks.

    Each of these artworks is looked up for each user who misses any: of those whom `users` names,
    where they were counted with `found`; else these are found first.
    """
    few, legacy = incomplete_few(found, statements.state.catalogue), found.legacy_untracked
    if few is None or legacy > MOST_LISTED:
        return None
    if min(legacy, found.audience) * len(few.artworks) > MOST_PROBED:
        return None
    if users is not None and users.as_of == found.as_of and users.named is not None:
        named = users.named
    else:
        catalogue, pools = statements.state.catalogue, statements.state.pools
        cutoffs = Cutoffs.at(found.as_of, pools)
        affected = await find_affected(connection, catalogue, pools, cutoffs, few, named=True)
        named = tuple(affected["named"] or ())
    pairs = await _ask(connection, statements, found, control, now, few, Known.USERS, named)
    return None if len(pairs) > MOST_LISTED else MissingPairs(found, pairs)


async def still_missing(
    connection: AsyncConnection,
    statements: HealingStatements,
    listed: MissingPairs,
    control: Control,
    now: datetime,
) -> MissingPairs | None:
    """Those of the listed pairs that are missing still; which of them wait is judged by `now`.

    None where other users count by now: who joined may miss what nobody missed before.
    """
    audience = await audience_size(connection, statements.fragments)
    if audience != listed.found.audience:
        return None
    found, few = listed.found, Few(tuple({one.artwork_id for one in listed.pairs}), one_pass=False)
    users = tuple(pair.user_id for pair in listed.pairs)
    artworks = tuple(pair.artwork_id for pair in listed.pairs)
    asked = (connection, statements, found, control, now, few)
    pairs = await _ask(*asked, Known.PAIRS, users, artworks)
    return replace(listed, pairs=pairs)


async def _ask(
    connection: AsyncConnection,
    statements: HealingStatements,
    found: Census,
    control: Control,
    now: datetime,
    few: Few,
    known: Known,
    users: Sequence[str],
    artworks: Sequence[str] = (),
) -> tuple[MissingPair, ...]:
    """The pairs of `few` artworks, by what is `known` of them."""
    cutoffs = Cutoffs.at(found.as_of, statements.state.pools)
    values = {
        **parameters(cutoffs, control.verified_until, few=few),
        "users": list(users),
        "artworks": list(artworks),
        "verified_at": control.verified_at,
        "due_until": now,
        "most": MOST_LISTED + 1,
    }
    text = statements.plan_missing(known)
    return tuple(
        MissingPair(
            row.user_id,
            row.artwork_id,
            row.created,
            appeared=row.appeared,
            recurs=row.appeared and row.enrolled and not (row.put_aside or row.left_alone),
            aside=row.waits or row.left_alone,
        )
        for row in await connection.exec_driver_sql(text, values)
    )
