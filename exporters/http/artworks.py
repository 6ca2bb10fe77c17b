"""/api/artworks: the counts, and backfilling."""

from __future__ import annotations

from aiohttp import web

from checks.census import Census
from exporters.current import current_census
from exporters.http import answers
from exporters.http.body import read_object
from exporters.http.context import Context, context_of
from exporters.http.errors import ApiError, bad_request, json_response
from exporters.http.gate import ROLE
from exporters.http.models import BackfillBody, parse_body, unfit_id
from exporters.http.queries import parameters
from exporters.http.shapes.artworks import Accepted, NothingToHeal, WouldUpdate
from exporters.http.tokens import Role, app_only_one_user
from exporters.moments import moment


async def stats(request: web.Request) -> web.Response:
    """The last census from memory; with `user_id` one user's counts, live."""
    context = context_of(request)
    user_id = parameters(request, "user_id").get("user_id")
    if user_id is None:
        return json_response(answers.counts(_census(context)))
    expected = unfit_id(user_id)
    if expected is not None:
        raise bad_request(f"user_id: expected {expected}.")
    return json_response(answers.counts(await context.commands.user_census(user_id)))


async def backfill(request: web.Request) -> web.Response:
    """One user's legacy pairs, once unless forced; or everyone's, in the background."""
    parameters(request)
    context = context_of(request)
    body = parse_body(BackfillBody, await read_object(request))
    if body.everyone:
        return await _everyone(context, body, request[ROLE])
    if body.user_id is None:
        raise bad_request('Whom? Expected {"user_id": "…"} or {"all": true}.')
    return await _one_user(context, body, body.user_id)


async def _one_user(context: Context, body: BackfillBody, user_id: str) -> web.Response:
    if body.dry_run:
        rows = await context.commands.would_backfill_user(user_id)
        return json_response(WouldUpdate(would_update=rows))
    done = await context.commands.backfill_user(user_id, force=body.force)
    return json_response(answers.backfill(done))


async def _everyone(context: Context, body: BackfillBody, role: Role) -> web.Response:
    if role is not Role.ADMIN:
        raise app_only_one_user()
    if body.user_id is not None:
        raise bad_request("user_id and all: expected one of them, found both.")
    if body.force:
        raise bad_request("force: expected together with user_id only, found with all.")
    if body.dry_run:
        return json_response(WouldUpdate(would_update=_census(context).legacy_untracked))
    run_id = await context.commands.backfill_all()
    if run_id is None:  # nothing to heal, so nothing was accepted that goes on in the background
        return json_response(NothingToHeal(updated=0, run_id=None))
    return json_response(Accepted(run_id=run_id), status=202)


def _census(context: Context) -> Census:
    """The last census, while it is current. Raises ApiError 503."""
    status = context.board.current
    if status.census is None:
        raise ApiError(503, "no_census", "No census was taken yet; try again after the first.")
    census = current_census(status, context.clock())
    if census is None:
        taken = moment(status.census.as_of)
        message = f"The last census, of {taken}, is too old to be right; see /api/checks for why."
        raise ApiError(503, "stale_census", message)
    return census
