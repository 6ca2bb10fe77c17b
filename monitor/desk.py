"""The desk: where pages and API hand in what they want. Implements Commands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import timedelta
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine

from checks.pairs import UserCensus
from checks.spec import Borders
from monitor.alert_log import AlertLog
from monitor.bookkeeper import SHORT
from monitor.commands import AlertsTaken, BreakerReset, UserBackfill, WouldUndo
from monitor.crowd import Crowd
from monitor.database import transaction
from monitor.healer import Healer
from monitor.healing.quarantine import count_in_quarantine_of_user
from monitor.latch import newest_share, reset
from monitor.state import control
from monitor.state.alerts import AlertRow, Notification, kept, list_alerts
from monitor.state.backfilled import Backfilled, read_backfilled
from monitor.state.census_series import CensusPoint, read_series
from monitor.state.quarantine import SHOWN, QuarantinedPair, list_quarantined
from monitor.state.results import CheckHistory, read_history
from monitor.state.runs import BatchRow, Run, Trigger, get_run, list_batches, list_runs
from monitor.state.waits import list_waits
from monitor.workshop import Workshop

Asked = ParamSpec("Asked")
Found = TypeVar("Found")


def _in_turn(
    read: Callable[Concatenate[Desk, Asked], Awaitable[Found]],
) -> Callable[Concatenate[Desk, Asked], Coroutine[Any, Any, Found]]:
    """`read`, which changes nothing, as one of the crowd's questions."""

    @wraps(read)
    async def ask(self: Desk, /, *args: Asked.args, **named: Asked.kwargs) -> Found:
        question = (read.__name__, args, tuple(sorted(named.items())))
        return await self._readers.ask(question, lambda: read(self, *args, **named))

    return ask


class Desk:
    """Passes on what is asked for, and lets the loop look at once where that may matter."""

    def __init__(
        self,
        engine: AsyncEngine,
        workshop: Callable[[], Workshop],
        healer: Healer,
        refresh: Callable[[], Awaitable[None]],
        wake: Callable[[], bool],
        leads: Callable[[], bool],
        alert_log: AlertLog,
        *,
        readers: Crowd,
        writers: Crowd,
    ) -> None:
        """`refresh` reads our own tables again; `wake` lets the loop pass now, and says whether
        there is one; `leads`: whether this replica does. What is only read goes through
        `readers`, backfills of one user through `writers`."""
        self._engine = engine
        self._workshop = workshop
        self._healer = healer
        self._refresh = refresh
        self._wake = wake
        self._leads = leads
        self._alert_log = alert_log
        self._readers = readers
        self._writers = writers

    @_in_turn
    async def user_census(self, user_id: str) -> UserCensus:
        """One user's counts, live."""
        return await self._healer.user_census(user_id)

    @_in_turn
    async def would_backfill_user(self, user_id: str) -> int:
        """How many rows a backfill of this user would write now."""
        census = await self._healer.user_census(user_id)
        workshop = self._workshop()
        borders = Borders.at(census.as_of, workshop.settings.pools_spec())
        async with transaction(self._engine, timeout=SHORT) as connection:
            waiting = await count_in_quarantine_of_user(
                connection, workshop.healing, borders, user_id, due_until=census.as_of
            )
        return max(0, census.legacy_untracked - waiting)

    @_in_turn
    async def backfilled(self, user_id: str) -> Backfilled | None:
        """The backfill of this user that sets the once-flag, if there was one."""
        async with transaction(self._engine, timeout=SHORT) as connection:
            return await read_backfilled(connection, self._workshop().state, user_id)

    async def backfill_user(self, user_id: str, *, force: bool) -> UserBackfill:
        """Backfill one user, once unless forced."""

        async def write() -> UserBackfill:
            return await self._healer.backfill_user(user_id, force=force, trigger=Trigger.API)

        # A question of its own each time: the second of two callers has skipped it.
        return await self._writers.ask(object(), write)

    async def backfill_all(self) -> int | None:
        """Start a run over the audience; its number, or None when there is nothing to heal."""
        run = await self._healer.start(Trigger.API, "Asked for through the API.")
        return None if run is None else run.id

    async def undo(self, run_id: int) -> int | None:
        """Start an undo, or go on with an unfinished one; its number, or None."""
        run = await self._healer.undo(run_id, Trigger.API, "Asked for through the API.")
        await self._refresh()
        return None if run is None else run.id

    @_in_turn
    async def would_undo(self, run_id: int) -> WouldUndo:
        """What an undo of this run would find now."""
        found = await self._workshop().undo_planner.preview(run_id)
        return WouldUndo(found.untouched, found.touched, found.gone)

    @_in_turn
    async def runs(self, *, limit: int, before: int | None) -> tuple[Run, ...]:
        """The newest runs first."""
        async with transaction(self._engine, timeout=SHORT) as connection:
            return await list_runs(connection, self._workshop().state, limit=limit, before=before)

    @_in_turn
    async def run(self, run_id: int) -> Run | None:
        """One run."""
        async with transaction(self._engine, timeout=SHORT) as connection:
            return await get_run(connection, self._workshop().state, run_id)

    @_in_turn
    async def waits(self, run_id: int) -> Mapping[str, float]:
        """Seconds that a run waited, by reason, the longest first."""
        async with transaction(self._engine, timeout=SHORT) as connection:
            return await list_waits(connection, self._workshop().state, run_id)

    @_in_turn
    async def quarantine(self, run_id: int) -> tuple[QuarantinedPair, ...]:
        """At most 20 pairs that are in quarantine since this run, the newest first."""
        async with transaction(self._engine, timeout=SHORT) as connection:
            return await list_quarantined(
                connection, self._workshop().state, run_id=run_id, limit=SHOWN
            )

    @_in_turn
    async def batches(self, run_id: int, *, limit: int, after: int) -> tuple[BatchRow, ...]:
        """The batches of a run, in order."""
        async with transaction(self._engine, timeout=SHORT) as connection:
            return await list_batches(
                connection, self._workshop().state, run_id, limit=limit, after=after
            )

    @_in_turn
    async def census_series(self, span: timedelta) -> tuple[CensusPoint, ...]:
        """How the counts went over the last `span`, oldest first, in at most 300 points."""
        async with transaction(self._engine, timeout=SHORT) as connection:
            return await read_series(connection, self._workshop().state, span)

    @_in_turn
    async def check_history(self, name: str, *, limit: int) -> CheckHistory:
        """The newest results of a check, and the newest changes of its outcome."""
        async with transaction(self._engine, timeout=SHORT) as connection:
            return await read_history(connection, self._workshop().state, name, limit=limit)

    async def pause(self, reason: str) -> None:
        """The kill switch."""
        async with transaction(self._engine, timeout=SHORT) as connection:
            await control.pause(connection, self._workshop().state, reason)
        await self._refresh()

    async def resume(self) -> None:
        """End a pause and a suspension, and look at once whether there is something to do."""
        async with transaction(self._engine, timeout=SHORT) as connection:
            await control.resume(connection, self._workshop().state)
        await self._refresh()
        self._wake()

    async def reset_breaker(self) -> BreakerReset:
        """Close the breaker, accept the newest census's share, and look at once what there is."""
        workshop = self._workshop()
        async with transaction(self._engine, timeout=SHORT) as connection:
            done = await reset(
                connection,
                workshop.state,
                share=await newest_share(connection, workshop.state),
                max_share=workshop.settings.healing.breaker.max_share,
            )
        await self._refresh()
        if done.was_open:
            self._wake()
        return done

    async def alerted(self, alerts: Sequence[Notification]) -> AlertsTaken:
        """Record what was told, and let the loop pass now where that is asked for. The leader finds
        what a follower was told among the records."""
        recorded = await self._alert_log.take(alerts)
        new = tuple(alert for alert in alerts if recorded is None or kept(alert) in recorded)
        woken = any(alert.wakes for alert in new) and (
            self._wake() if self._leads() else recorded is not None
        )
        return AlertsTaken(new=new, woken=woken, recorded=recorded is not None)

    @_in_turn
    async def alerts(self, *, limit: int) -> tuple[AlertRow, ...]:
        """What Alertmanager told last, newest first."""
        async with transaction(self._engine, timeout=SHORT) as connection:
            return await list_alerts(connection, self._workshop().state, limit=limit)
