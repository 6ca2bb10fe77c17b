"""Tallies: how many impressions each artwork and each user has, taken now and then on the primary.

From them a loss is told from deletion, archiving and undo (`loss_between`). A tally costs two to
four censuses, so it is taken seldom: hourly, when the impressions have become noticeably fewer,
after a reset of the breaker, and before a heal that could hide a loss from the next one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from checks.affected import AffectedUsers
from checks.census import Census, incomplete_few, probes_artworks, probes_users
from checks.errors import ConservatorError
from checks.relations import Catalogue
from checks.spec import Cutoffs
from checks.statements import Fragments, identifier, raw, render
from monitor.database import snapshot, transaction
from monitor.deadlines import LOOK_BACK, TALLY_SECONDS
from monitor.healing.missing import MissingPairs, list_missing
from monitor.healing.planner import count_recurring
from monitor.policy.inputs import Loss, Side, loss_between
from monitor.runtime import CurrentRuntime, Runtime
from monitor.state.control import Control, begin_anew_where_others_count, read_control
from monitor.state.schema import PACKAGE
from monitor.state.statements import StateStatements

log = structlog.get_logger(__name__)

FAILURES_BUDGET = 0.1
"""Share of the time that tallies which fail may take."""
HIDDEN_SHARE = 0.1
"""Heals that follow a tally without another one may write so much of what opens the breaker: they
hide no more of a loss from the next tally."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What a tally told."""

    loss: Loss | None
    """None where it failed, or where none was due."""
    recurring: int
    """Legacy pairs that appeared behind the last verified heal."""
    error: str | None = None
    """Why it could not be taken."""
    missing: MissingPairs | None = None
    """The pairs that a heal would be about, where they are few."""


_ARTWORK, _USER = "artwork", "user"
"""The sides of a tally, as they are called in the names of tables, columns and fragments."""


def _names(state: StateStatements, side: str) -> Fragments:
    """The fragments of a side: its own ids, and what makes an impression count on the other."""
    names, other = state.fragments, _USER if side == _ARTWORK else _ARTWORK
    counts_anyway = _is_counted_for_sure(state.catalogue, other)
    pays = (probes_artworks if side == _ARTWORK else probes_users)(state.catalogue)
    by_probe = pays and counts_anyway and state.catalogue.pair_is_unique
    own = {
        **names,
        "tally": identifier(f"tally_{side}"),
        "tally_id": identifier(f"{side}_id"),
        "counted": names[f"counted_{side}s"],
        "others": names[f"counted_{other}s"],
        "other_side": raw(
            "" if counts_anyway else f"JOIN cte_everybody AS e ON e.id = p.{other}_id"
        ),
        "side": names[side],
    }
    return {**own, "shown": (_PROBED if by_probe else _GROUPED).format(**own)}


_GROUPED = raw(
    "SELECT p.{tally_id} AS id, count(*) AS impressions FROM {pairs} AS p {other_side}"
    " GROUP BY p.{tally_id}"
)
_PROBED = raw(
    "SELECT c.id, (SELECT count(*) FROM {impressions} AS i WHERE i.{side} = c.id) AS impressions"
    " FROM {counted} AS c"
)


def _is_counted_for_sure(catalogue: Catalogue, side: str) -> bool:
    """Whether the catalogue proves that this side of every impression is counted."""
    spec = catalogue.spec
    if side == _USER:
        return spec.users.where is None and catalogue.impressions_belong_to_users
    return (
        spec.artworks.where is None
        and catalogue.created.not_null
        and catalogue.impressions_belong_to_artworks
    )


async def take_tally(runtime: Runtime, *, appeared: bool = False) -> Tally:
    """Tally both sides and compare with what was there before.

    With `appeared`, legacy pairs behind the last verified heal are counted too, in the same
    snapshot. Raises what the database refuses; then nothing is written.
    """
    state, timeout = runtime.state, runtime.settings.database.statement_timeout
    async with runtime.transaction() as connection:
        await begin_anew_where_others_count(connection, state, state.kept.tallied)
    async with transaction(
        runtime.engine, timeout=timeout, idle=timeout, one_snapshot=True, rows=runtime.rows
    ) as connection:
        begun = (await state.run(connection, "tally_since", {"window": LOOK_BACK})).one()
        sides = {}
        for side in (_ARTWORK, _USER):
            names = _names(state, side)
            taken = render(PACKAGE, "tally_take", names)
            await connection.exec_driver_sql(taken, {"taken_at": begun.taken_at})
            told = await connection.exec_driver_sql(
                render(PACKAGE, "tally_loss", names), {"since": begun.since}
            )
            row = told.one()
            sides[side] = Side(row.missing, row.peak, row.left_with)
        undone = (await state.run(connection, "tally_undone", {"since": begun.since})).scalar_one()
        recurring = 0
        if appeared:
            recurring = await count_recurring(
                connection,
                runtime.healing,
                Cutoffs.at(begun.taken_at, runtime.settings.pools_spec()),
                await read_control(connection, state),
            )
    if begun.since == begun.taken_at:
        await _begin_anew(runtime, begun.taken_at)
    loss = loss_between(sides[_ARTWORK], sides[_USER], int(undone), begun.since)
    return Tally(loss, recurring)


async def _look_closer(runtime: Runtime, census: Census, users: AffectedUsers | None) -> Tally:
    """What a heal of this census is about, by its cutoffs: its pairs, where they are few, and how
    many recur."""
    statements, timeout = runtime.healing, runtime.settings.database.statement_timeout
    async with snapshot(runtime.engine, timeout=timeout, rows=runtime.rows) as connection:
        control = await read_control(connection, runtime.state)
        asked = (connection, statements, census, control, census.as_of)
        missing = await list_missing(*asked, users=users)
        if missing is not None or not census.appeared:
            return Tally(None, 0 if missing is None else missing.recurring, missing=missing)
        recurring = await count_recurring(
            connection,
            statements,
            Cutoffs.at(census.as_of, runtime.settings.pools_spec()),
            control,
            few=incomplete_few(census, runtime.catalogue),
        )
        return Tally(None, recurring)


async def _begin_anew(runtime: Runtime, taken_at: datetime) -> None:
    # Apart from the tally's own transaction: a pause must not wait for the row until that ends.
    async with transaction(runtime.engine) as connection:
        await runtime.state.run(connection, "tally_base", {"taken_at": taken_at})


async def prune_tallies(runtime: Runtime) -> None:
    """Forget what no judgement needs any more."""
    async with runtime.transaction() as connection:
        control = await read_control(connection, runtime.state)
        for side in (_ARTWORK, _USER):
            await connection.exec_driver_sql(
                render(PACKAGE, "tally_prune", _names(runtime.state, side)),
                {"window": LOOK_BACK, "verified_at": control.verified_at},
            )


class Tallies:
    """Takes tallies when they are due. Its memory is the process's: a new leader takes one soon."""

    def __init__(
        self,
        runtime: CurrentRuntime,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._runtime = runtime
        self._clock = clock
        self._taken: float | None = None
        self._pruned: float | None = None
        self._most_tracked = 0
        self._healed = 0
        self._reset_at: datetime | None = None
        self._failed: Tally | None = None
        self._not_before = 0.0

    async def take_if_due(self, census: Census, control: Control) -> Tally | None:
        """A tally, where the time or the census asks for one. Never raises."""
        self._most_tracked = max(self._most_tracked, census.tracked)
        return await self.take(census, control) if self._due(census, control) else None

    def _due(self, census: Census, control: Control) -> bool:
        if self._taken is None or self._clock() - self._taken >= TALLY_SECONDS:
            return True
        if control.breaker_reset_at != self._reset_at:
            return True
        # Half of what opens the breaker, compared with the most since the last tally: what falls
        # more slowly is found within the hour.
        return census.tracked < (1 - self._drop / 2) * self._most_tracked

    @property
    def _drop(self) -> float:
        return self._runtime.current.settings.healing.breaker.max_tracked_drop

    async def take_before_heal(
        self, census: Census, control: Control, users: AffectedUsers | None = None
    ) -> Tally | None:
        """A tally, unless the heal and those since the last tally are too small to hide a loss;
        then only what the heal is about, of `users` where they were counted with `census`. Never
        raises."""
        healed = self._healed + census.legacy_untracked
        if self._failed is not None or healed > HIDDEN_SHARE * self._drop * self._most_tracked:
            return await self.take(census, control)
        self._healed = healed
        try:
            return await _look_closer(self._runtime.current, census, users)
        except ConservatorError as error:
            log.warning("recurring_not_counted", error=str(error))
            return Tally(None, 0, str(error)) if census.appeared else None

    async def take(self, census: Census, control: Control) -> Tally:
        """A tally now. One that fails says so, and is not tried again at once. Never raises."""
        if self._failed is not None and self._clock() < self._not_before:
            return self._failed
        started = self._clock()
        try:
            tally = await take_tally(self._runtime.current, appeared=census.appeared > 0)
        except ConservatorError as error:
            self._not_before = self._clock() + (self._clock() - started) / FAILURES_BUDGET
            self._failed = Tally(None, 0, str(error))
            log.warning("tally_failed", error=str(error))
            return self._failed
        self._failed = None
        self._taken = self._clock()
        self._most_tracked = census.tracked
        self._healed = census.legacy_untracked
        self._reset_at = control.breaker_reset_at
        loss = tally.loss
        log.info(
            "tally",
            lost=0 if loss is None else loss.lost,
            expected=0 if loss is None else loss.expected,
            recurring=tally.recurring,
            seconds=round(self._taken - started, 3),
        )
        await self._prune()
        return tally

    async def _prune(self) -> None:
        now = self._clock()
        if self._pruned is not None and now - self._pruned < TALLY_SECONDS:
            return
        try:
            await prune_tallies(self._runtime.current)
            self._pruned = now
        except ConservatorError as error:
            log.warning("tallies_not_pruned", error=str(error))
