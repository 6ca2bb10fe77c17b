"""One user's counts, and one pair explained: small live statements, an index probe or two each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.census import PACKAGE, parameters
from checks.errors import UnknownUserError
from checks.fragments import fragments
from checks.moment_names import moment_name
from checks.relations import Catalogue
from checks.spec import Cutoffs, PoolsSpec, SharedColumns
from checks.statements import render


class PairState(StrEnum):
    """The states of a pair, and what keeps something from being a pair."""

    TRACKED = "tracked"
    FRESH = "fresh"
    STORAGE = "storage"
    LEGACY_UNTRACKED = "legacy_untracked"
    NO_PAIR = "no_pair"


@dataclass(frozen=True, slots=True)
class UserCensus:
    """The four counts of one user, in artworks."""

    as_of: datetime
    in_audience: bool
    tracked: int
    fresh: int
    storage: int
    legacy_untracked: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """A pair's state, and each comparison that led to it, in order."""

    state: PairState
    because: tuple[str, ...]


_NOT_AN_ID = frozenset({"22P02", "22003", "22007", "22008", "22021", "22P05", "22001", "23514"})
"""SQLSTATEs of a text that can't be an id of the column's type, or that the database's encoding
lacks: so nobody has it."""


def is_not_an_id(error: DBAPIError) -> bool:
    """Whether `error` says that the given text is no value of the id's type."""
    state = getattr(error.orig, "sqlstate", None)
    return state in _NOT_AN_ID or (state is None and "NUL" in str(error.orig))


def is_text(value: str) -> bool:
    """Whether PostgreSQL can be sent `value`: JSON also knows NUL and halves of characters."""
    return "\x00" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)


async def take_user_census(
    connection: AsyncConnection,
    catalogue: Catalogue,
    pools: PoolsSpec,
    cutoffs: Cutoffs,
    user_id: str,
) -> UserCensus:
    """The counts of `user_id`, whether or not the audience holds it. Raises UnknownUserError."""
    statement = render(PACKAGE, "user_census", fragments(catalogue, pools))
    found = await _ask(connection, statement, cutoffs, {"user_id": user_id})
    if not found:
        raise UnknownUserError(f"No user has the id {user_id!r}.")
    return UserCensus(as_of=cutoffs.now.astimezone(UTC), **found)


@dataclass(frozen=True, slots=True)
class SharedValues:
    """Two columns in which the user and the artwork of a pair agree, and what is in them."""

    columns: SharedColumns
    of_user: str | None
    of_artwork: str | None
    agree: bool | None
    """None where either is NULL, which agrees with nothing."""


@dataclass(frozen=True, slots=True)
class PairFacts:
    """What the database says about one pair."""

    artwork_rows: int
    user_rows: int
    counted_artworks: int
    counted_users: int
    artwork_created: float | None
    user_created: float | None
    belongs: bool | None
    """The artwork is the user's own, where it pairs with its owner only."""
    in_audience: bool | None
    impressions: int
    last_viewed: float | None
    """Unix seconds, as the other moments; infinite where the column says so."""
    is_fresh: bool | None
    is_old: bool | None
    is_aged: bool | None
    artwork_before_user: bool | None
    shared: tuple[SharedValues, ...] = ()
    """One for each entry of catalog.pairs.same; empty where artwork or user is not counted."""
    through: str | None = None
    """The configured name of what lists the pairs."""
    listed: int = 1
    """How often it does so with this one; 1 where nothing lists pairs."""
    listed_since: float | None = None
    """Unix seconds; the least where it is listed more than once."""
    artwork_before_since: bool | None = None


async def read_pair(
    connection: AsyncConnection,
    catalogue: Catalogue,
    pools: PoolsSpec,
    cutoffs: Cutoffs,
    *,
    user_id: str,
    artwork_id: str,
) -> PairFacts:
    """Everything that decides the state of one pair. UnknownUserError: an id is of no such type."""
    statement = render(PACKAGE, "explain_pair", fragments(catalogue, pools))
    ids = {"user_id": user_id, "artwork_id": artwork_id}
    found = await _ask(connection, statement, cutoffs, ids)
    if not found:
        raise UnknownUserError(
            f"{user_id!r} or {artwork_id!r} is no id of the type that the tables use."
        )
    spec, facts = catalogue.spec.pairs, dict(found)
    values = facts.pop("shared_values") or ()
    return PairFacts(
        **facts,
        shared=tuple(
            SharedValues(columns, *one) for columns, one in zip(spec.same, values, strict=False)
        ),
        through=None if spec.through is None else spec.through.table,
    )


async def _ask(
    connection: AsyncConnection, statement: str, cutoffs: Cutoffs, ids: Mapping[str, str]
) -> Mapping[str, Any]:
    """The statement's one row; empty where there is none, or what is given can't be an id."""
    if not all(map(is_text, ids.values())):
        return {}
    try:
        result = await connection.exec_driver_sql(statement, {**parameters(cutoffs), **ids})
    except DBAPIError as error:
        if is_not_an_id(error):
            return {}
        raise
    row = result.one_or_none()
    return {} if row is None else row._asdict()


def _moment(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    return moment_name(seconds, timespec="microseconds")


def explain(facts: PairFacts, pools: PoolsSpec, cutoffs: Cutoffs) -> Explanation:
    """The state of a pair from its facts, with every value compared."""
    no_pair = _why_no_pair(facts)
    if no_pair is not None:
        return Explanation(PairState.NO_PAIR, (no_pair,))
    state, because = _state(facts, pools, cutoffs)
    if not facts.in_audience:
        outside = (
            "the user has no impression at all, so the audience `tracked` does not count it:"
            " only the per-user backfill heals it"
        )
        because = (outside, *because)
    return Explanation(state, because)


def _state(
    facts: PairFacts, pools: PoolsSpec, cutoffs: Cutoffs
) -> tuple[PairState, tuple[str, ...]]:
    if facts.impressions:
        at = "unknown" if facts.last_viewed is None else f"at {_moment(facts.last_viewed)}"
        return PairState.TRACKED, (f"{facts.impressions} impression(s), the last viewed {at}",)
    unseen, created = "no impression", f"created {_moment(facts.artwork_created)}"
    if facts.is_fresh:
        border = cutoffs.fresh_after.isoformat()
        young = f"{created}, after {border}: younger than fresh_for ({pools.fresh_for})"
        return PairState.FRESH, (unseen, young)
    border = cutoffs.legacy_until.isoformat()
    if not facts.is_aged:
        young = f"{created}, after {border}: younger than legacy_after ({pools.legacy_after})"
        return PairState.STORAGE, (unseen, young)
    aged = f"{created}, not after {border}: at least legacy_after ({pools.legacy_after}) old"
    if not facts.is_old and cutoffs.created_before is not None:
        late = f"not created before legacy_created_before ({cutoffs.created_before.isoformat()})"
        return PairState.STORAGE, (unseen, aged, late)
    born = _moment(facts.user_created)
    if facts.artwork_before_user:
        older = f"older than the user, who was created {born}: truly unseen"
        return PairState.STORAGE, (unseen, aged, older)
    since = f"{_moment(facts.listed_since)}, since when {facts.through} lists the pair"
    if facts.artwork_before_since:
        return PairState.STORAGE, (unseen, aged, f"created before {since}: truly unseen")
    reasons = [unseen, aged]
    if facts.user_created is not None:
        reasons.append(f"not older than the user, created {born}")
    if facts.listed_since is not None:
        reasons.append(f"not created before {since}")
    return PairState.LEGACY_UNTRACKED, tuple(reasons)


def _why_no_pair(facts: PairFacts) -> str | None:
    if not facts.user_rows:
        return "no user has this id"
    if not facts.counted_users:
        return "the user exists, but catalog.users.where leaves it out"
    if not facts.artwork_rows:
        return "no artwork has this id"
    if not facts.counted_artworks:
        return (
            "the artwork exists, but has no creation time or catalog.artworks.where leaves it out"
        )
    if not facts.belongs:
        return "the artwork belongs to another user, and pairs with its owner only"
    differing = [one for one in facts.shared if not one.agree]
    if differing:
        return "; ".join(map(_difference, differing))
    if not facts.listed:
        return f"catalog.pairs.through: {facts.through} does not list this pair"
    return None


def _difference(values: SharedValues) -> str:
    columns = values.columns
    mine, its = (
        "NULL, which agrees with nothing" if value is None else repr(value)
        for value in (values.of_user, values.of_artwork)
    )
    return (
        f"catalog.pairs.same: the user's {columns.user} is {mine},"
        f" the artwork's {columns.artwork} is {its}, and the two of a pair are equal"
    )
