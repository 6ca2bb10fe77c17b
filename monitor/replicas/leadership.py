"""Who leads among the replicas of the service: a lease row, and what this process believes of it.

follower ──take──► leader ──refused, local deadline, release──► follower

The row changes by one conditional update on the database's clock, so that clocks of hosts don't
matter and PgBouncer is fine. This process believes to lead only until the moment at which it asked
for the lease, plus the lease: by then the row can't have run out yet, whatever has become of the
connection, so it has stopped before anybody else may start. What must not be done by a leader of
yesterday asks the row itself, at the end of its own transaction: `confirm`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks.errors import ConservatorError, DatabaseUnavailableError, RefusedError
from monitor.database import again_if_lost, at_once, set_local, transaction
from monitor.deadlines import RELEASE_SECONDS
from monitor.state.statements import SchemaStatements

log = structlog.get_logger(__name__)

ATTEMPTS_A_LEASE = 3
"""How often the lease is asked for while it lasts: two attempts may fail without a change."""


class NotLeadingError(RefusedError):
    """Another replica leads by now: what this one was about to record is not recorded."""

    code = "not_leading"


@dataclass(frozen=True, slots=True)
class Lead:
    """A lease that this process was given."""

    token: int
    """Counts leaders; in the row it is this number as long as nobody else has led."""
    until: float
    """When this process stops believing in it, on its monotonic clock."""


def after_answer(token: int | None, *, asked: float, lease_seconds: float) -> Lead | None:
    """What to believe once the database has given this token, or none: another replica leads.

    `asked` is when the question was put, on the monotonic clock; silence changes nothing.
    """
    # From when it was asked: the database's lease began later, and so ends later.
    return None if token is None else Lead(token, asked + lease_seconds)


def holds(lead: Lead | None, now: float) -> bool:
    """Whether a lead is still to be believed in."""
    return lead is not None and now < lead.until


class Leadership:
    """Asks for the lead, keeps it, and says whether this process has it."""

    def __init__(
        self,
        engine: AsyncEngine,
        statements: SchemaStatements,
        *,
        holder: str,
        lease: timedelta,
        on_gained: Callable[[], None],
        on_lost: Callable[[], None],
        on_answer: Callable[[ConservatorError | None], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`engine` should be nobody else's: a busy pool must not cost the lead. `on_answer` is
        told how each attempt went: None when the database answered."""
        self.holder = holder
        self._engine = engine
        self._statements = statements
        self._lease = lease
        self._third = lease / ATTEMPTS_A_LEASE
        self._on_gained = on_gained
        self._on_lost = on_lost
        self._on_answer = on_answer
        self._clock = clock
        self._lead: Lead | None = None
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def leads(self) -> bool:
        """Whether this process leads, as far as it may believe that by itself."""
        return holds(self._lead, self._clock())

    async def serve(self) -> None:
        """Ask for the lead, or keep it, for ever."""
        while True:
            started = self._clock()
            await self.attempt()
            pause = self._third.total_seconds() - (self._clock() - started)
            await asyncio.sleep(max(pause, 0.01))

    async def attempt(self) -> bool:
        """Ask once; whether this process leads now. Never raises for what the database does."""
        asked = self._clock()
        try:
            async with asyncio.timeout(self._third.total_seconds()):
                # Who has the lead may take it twice.
                token = await again_if_lost(self._take)
        except TimeoutError:
            seconds = self._third.total_seconds()
            self._unanswered(
                DatabaseUnavailableError(
                    f"The database did not answer within {seconds:.3g} s, a third of the lease."
                )
            )
        except ConservatorError as error:
            self._unanswered(error)
        else:
            self._on_answer(None)
            lead = after_answer(token, asked=asked, lease_seconds=self._lease.total_seconds())
            self._believe(lead, "another replica has it")
        return self.leads

    async def _take(self) -> int | None:
        values = {"holder": self.holder, "lease": self._lease}
        taking = self._statements.statement("leader_take", values)
        (taken,) = await at_once(self._engine, taking, timeout=self._third)
        return int(taken[0].token) if taken else None

    def _unanswered(self, error: ConservatorError) -> None:
        log.debug("lead_not_asked", error=str(error))
        self._on_answer(error)

    async def confirm(self, connection: AsyncConnection) -> None:
        """Make the connection's transaction one of the leader's, as its last statement.

        Until it commits nobody else can take the lead; a process that hangs there is thrown out
        after a third of the lease. Raises NotLeadingError: the transaction must not commit.
        """
        lead = self._lead
        if holds(lead, self._clock()) and lead is not None:
            milliseconds = f"{max(1, round(self._third.total_seconds() * 1000))}ms"
            await set_local(connection, idle_in_transaction_session_timeout=milliseconds)
            values = {"holder": self.holder, "token": lead.token}
            found = await self._statements.run(connection, "leader_confirm", values)
            if found.scalar_one_or_none() is not None:
                return
            self._believe(None, "another replica has it")
        raise NotLeadingError("Another replica leads by now, or none: nothing was recorded.")

    async def release(self) -> None:
        """Lay the lead down, so that another replica takes it at once. Never raises for what the
        database does: the lease runs out by itself."""
        lead, led = self._lead, self.leads
        self._believe(None, "laid down")
        if lead is None or not led:
            return
        values = {"holder": self.holder, "token": lead.token}
        short = timedelta(seconds=RELEASE_SECONDS)
        try:
            async with (
                asyncio.timeout(RELEASE_SECONDS),
                transaction(self._engine, timeout=short) as connection,
            ):
                await self._statements.run(connection, "leader_release", values)
        except (ConservatorError, TimeoutError) as error:
            log.warning("lead_not_released", error=str(error))

    def _believe(self, lead: Lead | None, reason: str) -> None:
        before, self._lead = self._lead, lead
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if before is not None and (lead is None or lead.token != before.token):
            log.info("lead_lost", holder=self.holder, token=before.token, reason=reason)
            self._on_lost()
        if lead is None:
            return
        self._watch(lead)
        if before is None or before.token != lead.token:
            log.info("lead_gained", holder=self.holder, token=lead.token)
            self._on_gained()

    def _watch(self, lead: Lead) -> None:
        """Look again at the local deadline: an attempt may hang beyond it."""
        left = max(lead.until - self._clock(), 0.0)
        self._deadline = asyncio.get_running_loop().call_later(left, self._expire)

    def _expire(self) -> None:
        lead = self._lead
        if lead is None:
            return
        if self.leads:  # timers may be early by the resolution of their clock
            self._watch(lead)
        else:
            self._believe(None, "the lease was not renewed in time")
