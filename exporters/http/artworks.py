"""/api/artworks: the counts, their history, and backfilling."""

from __future__ import annotations

from typing import Literal

from checks.census import Census
from exporters.current import current_census
from exporters.http.auth import Role, app_only_one_user
from exporters.http.errors import ApiError
from exporters.http.requests import (
    BackfillBody,
    NoBody,
    NoParameters,
    SpanParameters,
    StatsParameters,
)
from exporters.http.responses import Accepted, Answer, Count, Moment
from exporters.http.routing import Call, Context, Replied, Reply
from exporters.page.formatting import iso_utc


class Counts(Answer):
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
    suspicions: tuple[str, ...] = ()
    """By their names, `doctor`'s signs that the counts can't mean what they say; nothing is healed
    until they are answered."""


class Columns(Answer):
    """Censuses, one at the same place of every column."""

    t: tuple[float, ...]
    """When each was taken, in Unix seconds."""
    legacy_untracked: tuple[Count, ...]
    storage: tuple[Count, ...]
    fresh: tuple[Count, ...]
    tracked: tuple[Count, ...]


class History(Answer):
    """How the counts went."""

    range: str
    """The span that was asked for."""
    columns: Columns
    error: str | None
    """Why they could not be read again just now; null where they were."""


class UserHealed(Answer):
    """What a backfill of one user wrote."""

    updated: Count
    """Impressions written."""
    run_id: int | None
    """The run that wrote them; null where there was nothing to write."""


class UserSkipped(Answer):
    """The user was backfilled before, and nobody forced a repetition."""

    updated: Literal[0] = 0
    skipped: Literal[True] = True


class WouldUpdate(Answer):
    """What a backfill would do now; nothing was written."""

    would_update: Count
    """Impressions that it would write."""


class NothingToHeal(Answer):
    """Nobody has a legacy pair: no run was started."""

    updated: Literal[0] = 0
    run_id: None = None


async def get_stats(call: Call[StatsParameters, NoBody]) -> Counts:
    """The four counts.

    The last census, from memory; with `user_id` that user's own counts, live, whether or not the
    user is in the audience.
    """
    context, user_id = call.context, call.parameters.user_id
    counted = _census(context) if user_id is None else await context.commands.user_census(user_id)
    names = context.board.current.examination.suspicion_names
    return Counts.model_validate(counted).model_copy(update={"suspicions": names})


async def get_history(call: Call[SpanParameters, NoBody]) -> History:
    """The four counts over time.

    At most 300 censuses and the newest one, oldest first, in columns. Each part of the span is told
    by the census with the most legacy pairs: none of the numbers is an average.
    """
    span = call.parameters.range
    known = await call.context.page.series(span)
    if known.error is not None and not known.value:
        raise ApiError("database_unavailable", known.error)
    points = known.value
    columns = Columns(
        t=tuple(round(point.as_of.timestamp(), 3) for point in points),
        legacy_untracked=tuple(point.legacy_untracked for point in points),
        storage=tuple(point.storage for point in points),
        fresh=tuple(point.fresh for point in points),
        tracked=tuple(point.tracked for point in points),
    )
    return History(range=span, columns=columns, error=known.error)


async def backfill_impressions(call: Call[NoParameters, BackfillBody]) -> Replied:
    """Backfill one user, or everyone.

    Writes the impressions that are missing. One user is done before the answer, once unless
    `force`; calling it again does nothing, so a login hook may call it every time. Everyone is done
    by a run in the background: 202 with its number, or 200 with `updated` 0 and `run_id` null where
    nothing is to be healed. `dry_run` counts and writes nothing.
    """
    body = call.body
    if body.everyone:
        return await _backfill_all(call.context, body, call.role)
    if body.user_id is None:
        raise ApiError("bad_request", 'Whom? Expected {"user_id": "…"} or {"all": true}.')
    commands = call.context.commands
    if body.dry_run:
        return WouldUpdate(would_update=await commands.would_backfill_user(body.user_id))
    done = await commands.backfill_user(body.user_id, force=body.force)
    return UserSkipped() if done.skipped else UserHealed.model_validate(done)


async def _backfill_all(context: Context, body: BackfillBody, role: Role) -> Replied:
    if role is not Role.ADMIN:
        raise app_only_one_user()
    if body.user_id is not None:
        raise ApiError("bad_request", "user_id and all: expected one of them, found both.")
    if body.force:
        message = "force: expected together with user_id only, found with all."
        raise ApiError("bad_request", message)
    if body.dry_run:
        return WouldUpdate(would_update=_census(context).legacy_untracked)
    run_id = await context.commands.backfill_all()
    # Without anything to heal, nothing was accepted that goes on in the background.
    return NothingToHeal() if run_id is None else Reply(Accepted(run_id=run_id), status=202)


def _census(context: Context) -> Census:
    """The last census, while it is current. Raises ApiError 503."""
    status = context.board.current
    if status.census is None:
        raise ApiError("no_census", "No census was taken yet; try again after the first.")
    census = current_census(status, context.clock())
    if census is None:
        taken = iso_utc(status.census.as_of)
        message = f"The last census, of {taken}, is too old to be right; see /api/checks for why."
        raise ApiError("stale_census", message)
    return census
