"""The pairs that a small heal is about, listed one by one.

Where a census found few pairs of few artworks legacy, these are listed once, before it is decided
whether to heal. All else follows from the list: what recurs, what is put aside, the plan's numbers
and its work list. The plan asks only which of them are missing still.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import accumulate

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.affected import MOST_NAMED, AffectedUsers, Pair, find_affected, missing_pairs
from checks.census import Census, Few, audience_size, incomplete_few, parameters
from checks.spec import Cutoffs
from monitor.healing.statements import HealingStatements
from monitor.state.control import Control


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
    artworks: tuple[str, ...] = ()
    """Which it is, as text; none where they were not listed, or are most of the plan's."""


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
        users: dict[str, list[str]] = {}
        for pair in self.pairs:
            if not pair.aside:
                users.setdefault(pair.user_id, []).append(pair.artwork_id)
        before = accumulate(map(len, users.values()), initial=0)
        most = len({pair.artwork_id for pair in self.pairs}) / 2
        return [
            UserWork(
                user_id,
                len(found),
                min(len(found), max_rows - listed),
                tuple(found) if len(found) < most else (),
            )
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

    Of those that `users` names, where they were counted with `found`; else these are found first.
    """
    few = incomplete_few(found, statements.state.catalogue)
    if few is None or found.legacy_untracked > MOST_NAMED:
        return None
    if users is not None and users.as_of == found.as_of and users.missing is not None:
        missing = users.missing
    else:
        catalogue, pools = statements.state.catalogue, statements.state.pools
        cutoffs = Cutoffs.at(found.as_of, pools)
        row = await find_affected(connection, catalogue, pools, cutoffs, few, named=True)
        missing = missing_pairs(row) or ()
    if len(missing) > MOST_NAMED:
        return None
    return MissingPairs(found, await _ask(connection, statements, found, control, now, missing))


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
    pairs = tuple((pair.user_id, pair.artwork_id) for pair in listed.pairs)
    still = await _ask(connection, statements, listed.found, control, now, pairs)
    return replace(listed, pairs=still)


async def _ask(
    connection: AsyncConnection,
    statements: HealingStatements,
    found: Census,
    control: Control,
    now: datetime,
    pairs: Sequence[Pair],
) -> tuple[MissingPair, ...]:
    """Those of the pairs that are missing."""
    cutoffs = Cutoffs.at(found.as_of, statements.state.pools)
    few = Few(tuple({artwork for _, artwork in pairs}), one_pass=False)
    values = {
        **parameters(cutoffs, control.verified_until, few=few),
        "users": [user for user, _ in pairs],
        "artworks": [artwork for _, artwork in pairs],
        "verified_at": control.verified_at,
        "due_until": now,
    }
    text = statements.plan_missing()
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
