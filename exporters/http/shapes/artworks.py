"""Counts, backfills."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from exporters.http.shapes.base import Count, Moment, described


@described
class Counts(TypedDict):
    """Pairs of user and artwork, by state, in one snapshot."""

    fresh: Count
    """No impression, and the artwork younger than `pools.fresh_for`."""
    storage: Count
    """No impression, and rightly still offered."""
    legacy_untracked: Count
    """No impression although the artwork is old: it will be shown again and again."""
    tracked: Count
    """With an impression."""
    as_of: Moment
    """When they were counted, on the database's clock."""


@described
class Columns(TypedDict):
    """Censuses, one at the same place of every column."""

    t: list[float]
    """When each was taken, in Unix seconds."""
    legacy_untracked: list[Count]
    storage: list[Count]
    fresh: list[Count]
    tracked: list[Count]


@described
class History(TypedDict):
    """How the counts went."""

    range: str
    """The span that was asked for."""
    columns: Columns
    error: str | None
    """Why they could not be read again just now; null where they were."""


@described
class UserHealed(TypedDict):
    """What a backfill of one user wrote."""

    updated: Count
    """Impressions written."""
    run_id: int | None
    """The run that wrote them; null where there was nothing to write."""


@described
class UserSkipped(TypedDict):
    """The user was backfilled before, and nobody forced a repetition."""

    updated: Literal[0]
    skipped: Literal[True]


@described
class WouldUpdate(TypedDict):
    """What a backfill would do now; nothing was written."""

    would_update: Count
    """Impressions that it would write."""


@described
class NothingToHeal(TypedDict):
    """Nobody has a legacy pair: no run was started."""

    updated: Literal[0]
    run_id: None


@described
class Accepted(TypedDict):
    """A run was started and goes on in the background."""

    run_id: Annotated[int, Field(ge=1)]
    """Follow it at /api/runs/{run_id}."""
