"""Asks the impressions who is paired with what: who crosses a column that users and artworks share,
what was viewed before a moment of a user's, which ids nobody knows.

Each question reads a part of the impressions where they are many: what it looks for is plain in
some hundred thousand rows, or is not there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

from sqlalchemy import Row

from checks.catalogue import Facts
from checks.census import parameters
from checks.doctor.advice import creation_columns
from checks.doctor.input import PairEvidence
from checks.doctor.pair_evidence import (
    Crossing,
    Named,
    NeverSeen,
    OlderViews,
    SharedColumn,
    SharedValues,
    ViewedBefore,
)
from checks.doctor.time_zones import MOMENTS
from checks.errors import Refusal
from checks.fragments import (
    MomentColumn,
    fragments,
    impressions_of,
    rows_of,
    sample_of,
    table,
    viewed_column,
)
from checks.made_rows import mentions
from checks.relations import Catalogue, Column, Relation
from checks.spec import Cutoffs, PoolsSpec
from checks.statements import Fragments, identifier

Ask = Callable[[str, Fragments, Mapping[str, object]], Awaitable[Sequence[Row[Any]] | Refusal]]
"""Asks a statement of `checks/sql` in a savepoint, within the patience."""

_VALUES = frozenset("NSBEU")  # pg_type.typcategory: numbers, strings, booleans, enums, uuid …
_NO_VALUES = frozenset({"jsonb", "bytea", "tsvector"})
_LARGEST = 3
_LATE = timedelta(days=7)
"""How long after joining a moment is one of its own, and not a part of joining."""


async def ask_about_pairs(ask: Ask, facts: Facts, pools: PoolsSpec) -> PairEvidence:
    """Everything that the impressions say about pairs; nothing while a table or column lacks."""
    catalogue = facts.catalogue
    return PairEvidence() if catalogue is None else await _Questions(ask, catalogue, pools).all()


class _Questions:
    """The questions about one catalogue."""

    def __init__(self, ask: Ask, catalogue: Catalogue, pools: PoolsSpec) -> None:
        self._ask = ask
        self._catalogue = catalogue
        self._pools = pools
        self._sample = sample_of(catalogue.impressions)
        looked_at = impressions_of(catalogue, sample=self._sample)
        self._fragments = {**fragments(catalogue, pools), "impressions": looked_at}

    async def all(self) -> PairEvidence:
        joined, marks = _moments(self._catalogue)
        return PairEvidence(
            sampled=self._sample is not None,
            crossings={
                shared: await self._crossing(shared) for shared in shared_columns(self._catalogue)
            },
            viewed_before={
                mark.name: await self._viewed_before(joined, mark)
                for mark in marks
                if joined is not None
                and self._catalogue.viewed is not None
                and not await self._is_listed_apart(mark)
            },
            joined=joined,
            never_seen=await self._never_seen(),
            older_views=await self._older_views(),
            named=await self._named(),
        )

    async def _crossing(self, shared: SharedColumn) -> Crossing | Refusal:
        both = {
            "users_column": identifier(shared.of_users.name),
            "artworks_column": identifier(shared.of_artworks.name),
        }
        answer = await self._ask("catalogue_crossing", {**self._fragments, **both}, {})
        if isinstance(answer, Refusal):
            return answer
        crossing = Crossing(**answer[0]._asdict())
        # By name alone, one value may be chance; what both refer to is a group.
        of_a_group = crossing.is_of_one_value and shared.referred is not None
        if not crossing.hardly_any and not of_a_group:
            return crossing
        return replace(crossing, values=await self._values(both))

    async def _values(self, both: Fragments) -> SharedValues | None:
        clock = await self._ask("catalogue_now", {}, {})
        if isinstance(clock, Refusal):
            return None
        asked = {**parameters(Cutoffs.at(clock[0].now, self._pools)), "largest": _LARGEST}
        rows = await self._ask("catalogue_shared_values", {**self._fragments, **both}, asked)
        if isinstance(rows, Refusal) or not rows:
            return None
        return SharedValues(
            values=rows[0].values,
            largest=tuple((row.users, row.artworks) for row in rows),
            pairs=rows[0].pairs,
            across=rows[0].across,
            aged=rows[0].aged,
        )

    async def _viewed_before(self, joined: Column, mark: Column) -> ViewedBefore | Refusal:
        catalogue = self._catalogue
        zone, viewed = catalogue.spec.timezone, viewed_column(catalogue)
        more = {
            "joined": MomentColumn(joined, zone).moment(),
            "marked": MomentColumn(mark, zone).moment(),
            "viewed": viewed.moment("i"),
        }
        asked = {"gap": _LATE}
        answer = await self._ask("catalogue_viewed_before", {**self._fragments, **more}, asked)
        return answer if isinstance(answer, Refusal) else ViewedBefore(**answer[0]._asdict())

    async def _never_seen(self) -> NeverSeen | None:
        """Asked of all impressions: a part of them leaves artworks out that somebody has seen."""
        spec = self._catalogue.spec
        paired = spec.pairs.same or spec.pairs.through or spec.artworks.owner
        clock = await self._ask("catalogue_now", {}, {})
        if paired or isinstance(clock, Refusal):
            return None
        asked = parameters(Cutoffs.at(clock[0].now, self._pools))
        names = {**self._fragments, "impressions": impressions_of(self._catalogue)}
        answer = await self._ask("catalogue_never_seen", names, asked)
        return None if isinstance(answer, Refusal) else NeverSeen(**answer[0]._asdict())

    async def _older_views(self) -> OlderViews | None:
        catalogue = self._catalogue
        if catalogue.spec.users.created_at is not None:
            return None
        for column in creation_columns(catalogue.users)[:1]:
            joined = {"joined": MomentColumn(column, catalogue.spec.timezone).moment()}
            answer = await self._ask("catalogue_older_views", {**self._fragments, **joined}, {})
            return None if isinstance(answer, Refusal) else OlderViews(**answer[0]._asdict())
        return None

    async def _is_listed_apart(self, mark: Column) -> bool:
        """Whether `pairs.through` leaves out whatever is older than the moment and not seen since:
        then nothing of it can be written back."""
        catalogue, spec = self._catalogue, self._catalogue.spec.pairs.through
        role, through = catalogue.spec.through_role, catalogue.through
        if spec is None or role is None or through is None:
            return False
        more = {
            "listed": rows_of(role, through, role.where),
            "listed_user": identifier(spec.user),
            "listed_artwork": identifier(spec.artwork),
            "marked": MomentColumn(mark, catalogue.spec.timezone).moment(),
            "impressions_counted": impressions_of(catalogue),
        }
        answer = await self._ask("catalogue_listed_before", {**self._fragments, **more}, {})
        return not isinstance(answer, Refusal) and not answer

    async def _named(self) -> dict[str, Named]:
        catalogue = self._catalogue
        spec = catalogue.spec.impressions
        artworks, users, _ = catalogue.spec.roles
        found = {}
        for role, target, column, filtered in (
            (artworks, catalogue.artworks, spec.artwork, "artworks_filter"),
            (users, catalogue.users, spec.user, "users_filter"),
        ):
            proven = catalogue.impressions.foreign_key_to(target, column, role.ids[0])
            if role.where is None and proven is not None:
                continue
            more = {
                "column": identifier(column),
                "target": table(target),
                "target_id": identifier(role.ids[0]),
                "filter": self._fragments[filtered],
            }
            answer = await self._ask("catalogue_named_ids", {**self._fragments, **more}, {})
            if not isinstance(answer, Refusal):
                found[role.key] = Named(**answer[0]._asdict())
        return found


def shared_columns(catalogue: Catalogue) -> tuple[SharedColumn, ...]:
    """The columns that users and artworks both have: those that refer to the same table, then
    those of the same name and type. None where an artwork pairs with its owner only."""
    if catalogue.spec.artworks.owner is not None:
        return ()
    own_of_artworks, own_of_users, _ = (set(role.read) for role in catalogue.spec.roles)
    found = {
        (one.of_users.name, one.of_artworks.name): one
        for one in (*_same_name(catalogue), *_same_target(catalogue))
    }
    every = [
        one
        for (of_users, of_artworks), one in found.items()
        if of_users not in own_of_users and of_artworks not in own_of_artworks
    ]
    return tuple(sorted(every, key=lambda one: one.referred is None))


def _same_target(catalogue: Catalogue) -> Iterator[SharedColumn]:
    users, artworks = catalogue.users, catalogue.artworks
    for key, other in product(users.foreign_keys, artworks.foreign_keys):
        same = (key.target_oid, key.target_columns) == (other.target_oid, other.target_columns)
        if same and len(key.columns) == 1:
            of_users, of_artworks = (
                users.columns[key.columns[0]],
                artworks.columns[other.columns[0]],
            )
            yield SharedColumn(of_users, of_artworks, key.target)


def _same_name(catalogue: Catalogue) -> Iterator[SharedColumn]:
    users, artworks = catalogue.users, catalogue.artworks
    for name, of_users in users.columns.items():
        of_artworks = artworks.columns.get(name)
        if of_artworks is None or not _alike(of_users, of_artworks):
            continue
        if users.unique_on(name) and artworks.unique_on(name):
            continue  # each has ids of its own
        if _targets(users, name) and _targets(artworks, name):
            continue  # to the same table they are found by that, and to two they share nothing
        yield SharedColumn(of_users, of_artworks, None)


def _alike(one: Column, other: Column) -> bool:
    """Whether both hold values of one kind: any two lengths of numbers or strings are."""
    same = one.category == other.category and (one.category in "NS" or one.cast == other.cast)
    return same and one.orderable and one.category in _VALUES and one.cast not in _NO_VALUES


def _targets(relation: Relation, name: str) -> set[int]:
    return {key.target_oid for key in relation.foreign_keys if key.columns == (name,)}


def _moments(catalogue: Catalogue) -> tuple[Column | None, tuple[Column, ...]]:
    """When a user came, and the moments that only some users have.

    The first is configured, or says so by its name, or is the only moment that every user has.
    """
    users = catalogue.users
    moments = [column for column in users.columns.values() if column.cast in MOMENTS]
    everybodys = [column for column in moments if column.not_null]
    named = creation_columns(users)
    came = [column for column in moments if column.name == catalogue.spec.users.created_at]
    came += [column for column in moments if column in named]
    came += everybodys if len(everybodys) == 1 else []
    told = " ".join(catalogue.spec.roles[1].expressions.values())
    marks = (
        column
        for column in moments
        if not (column.not_null or column in came or mentions(told, column.name))
    )
    return next(iter(came), None), tuple(marks)
