"""Everything that works on one catalogue: built anew when the catalogue has changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks.census import Census, choose_form
from checks.doctor.findings import Blocks, Examination, Finding
from checks.doctor.rules import examine
from checks.errors import CatalogueError, DatabaseUnavailableError
from checks.relations import Catalogue
from checks.row_security import RowGuard, guard_of
from monitor.config import Mode, Repair, Settings
from monitor.database import again_if_lost, snapshot, transaction, when_unlocked
from monitor.healing.batch_size import PaceSettings
from monitor.healing.errors import HealRefusedError
from monitor.healing.executor import Executor, OnProgress
from monitor.healing.heal_strategy import HealStrategy
from monitor.healing.planner import Occasion, Planned, Planner, RunOwner
from monitor.healing.repair_statements import RepairStatements
from monitor.healing.repair_strategy import RepairStrategy
from monitor.healing.repair_table import RepairSpec
from monitor.healing.repair_undo import RepairUndoStrategy
from monitor.healing.settings_changed import Repairs, end_others
from monitor.healing.statements import HealingContext, HealingStatements
from monitor.healing.strategy import RunStrategy
from monitor.healing.throttle.prometheus import PromqlQuery
from monitor.healing.throttle.signals import gather_signals
from monitor.healing.throttle.throttle import ThrottleSettings
from monitor.healing.throttle.throttler import Throttler
from monitor.healing.undo_planner import UndoPlanner
from monitor.healing.undo_strategy import UndoStrategy
from monitor.healing.user_backfill import UserBackfillWriter
from monitor.policy.breaker import breaker_refusal
from monitor.policy.breaker_store import log_breaker_opened, open_breaker
from monitor.policy.decision import Decision, catalogue_refusal
from monitor.policy.inputs import PolicySettings
from monitor.policy.repairs import RepairSettings
from monitor.state.control import Control, read_control
from monitor.state.runs import Backfilled, Run, RunKind, RunState, Trigger
from monitor.state.statements import StateStatements
from monitor.state.transitions import claim, finish_run
from monitor.status import process_name

log = structlog.get_logger(__name__)

ASKED_BY_CALLER = "Asked for by a caller."
"""Why a user is backfilled."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """The tools for one catalogue. They hold no state of their own between calls."""

    engine: AsyncEngine
    settings: Settings
    catalogue: Catalogue
    examination: Examination
    state: StateStatements
    healing: HealingStatements
    planner: Planner
    undo_planner: UndoPlanner
    holder: str
    counting: HealingStatements | None = None
    """Of the present catalogue, where this one is that of a run that is taken back."""
    repair: RepairStatements | None = None
    """Of the repair that is planned, worked or taken back; None for all else."""

    @property
    def repairs(self) -> Repairs:
        """What runs keep of the configured repairs, by name."""
        return {one.name: one.kept for one in repair_specs(self.settings)}

    @property
    def rows(self) -> RowGuard:
        """What a transaction has to do that reads the app's tables."""
        return guard_of(self.catalogue)

    def transaction(
        self, *, rows: RowGuard | None = None
    ) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction each statement of which may take database.statement_timeout.

        `rows`: where it reads the app's tables.
        """
        timeout = self.settings.database.statement_timeout
        return transaction(self.engine, timeout=timeout, rows=rows)

    def run_owner(self, trigger: Trigger) -> RunOwner:
        """This process, about to start or take over a run."""
        return RunOwner(self.holder, self.settings.lease, trigger)

    async def resume(self, run_id: int, *, beyond_breaker: bool = False) -> Run | None:
        """Claim a run that nobody holds; None when another process was first, or when the run was
        planned under other settings of what is counted or written: it is ended then.

        `beyond_breaker`: a person sends it on although the breaker is open.
        """
        async with self.transaction() as connection:
            await end_others(connection, self.state, self.repairs)
            return await claim(
                connection,
                self.state,
                run_id,
                holder=self.holder,
                lease=self.settings.lease,
                beyond_breaker=beyond_breaker,
            )

    async def give_up(self, run: Run, why: str) -> None:
        """End a run that this process holds and has no tools to work."""
        async with self.transaction() as connection:
            await finish_run(
                connection,
                self.state,
                run,
                RunState.FAILED,
                why,
                remaining=None,
                legacy_after=None,
            )
            await self.state.run(connection, "repair_work_delete", {"run_id": run.id})
        log.warning("run_failed", run_id=run.id, error=why)

    @property
    def counting_blocked(self) -> bool:
        """Whether a count would be wrong, or impossible, on these tables."""
        return bool(self.examination.blocking(Blocks.COUNTING))

    @property
    def blockers(self) -> tuple[str, ...]:
        """A sentence for each finding that blocks healing, suspicions apart."""
        return blocking_sentences(self.examination, suspicions=False)

    @property
    def blocked(self) -> Decision | None:
        """Why nothing may be healed on these tables, whatever a person says; None where it may."""
        return catalogue_refusal(self.blockers, self.examination.suspicion)

    def guard(self, census: Census, control: Control) -> Decision | None:
        """Why a run must not start, judged on the census and the switches of its own snapshot."""
        suspicion = self.examination.suspicion
        return breaker_refusal(census, control, policy_settings(self.settings), suspicion)

    async def plan_audience(
        self,
        trigger: Trigger,
        *,
        reason: str,
        max_rows: int,
        beyond_breaker: bool = False,
        occasion: Occasion | None = None,
    ) -> Planned:
        """A run over the audience, unless the breaker refuses, which then is open for everybody.

        `beyond_breaker`: a person has seen the numbers and goes on, but never where healing is
        `blocked`. `occasion`: what it is planned for, as in `Planner`. Raises
        ActiveRunError, PausedError, HealRefusedError.
        """
        self.refuse_when_blocked()
        await self.end_others()
        try:
            return await self.planner.plan_audience(
                self.run_owner(trigger),
                reason=reason,
                max_rows=max_rows,
                guard=(lambda _, __: None) if beyond_breaker else self.guard,
                beyond_breaker=beyond_breaker,
                occasion=occasion,
            )
        except HealRefusedError as error:
            await self.open_breaker(error.decision)
            raise

    async def plan_user(
        self,
        trigger: Trigger,
        user_id: str,
        *,
        reason: str,
        force: bool,
        beyond_breaker: bool = False,
    ) -> Run | Backfilled | None:
        """A run for one user, as `Planner.plan_user` makes it, unless healing is `blocked`."""
        self.refuse_when_blocked()
        await self.end_others()
        return await self.planner.plan_user(
            self.run_owner(trigger),
            user_id,
            reason=reason,
            force=force,
            beyond_breaker=beyond_breaker,
        )

    def user_backfills(self) -> UserBackfillWriter:
        """Backfills single users for callers, several in one transaction."""
        return UserBackfillWriter(
            healing_context(self.engine, self.settings, self.healing),
            self.run_owner(Trigger.API),
            reason=ASKED_BY_CALLER,
            max_batch=self.settings.healing.pace.max_batch,
        )

    def refuse_when_blocked(self) -> None:
        """Raises HealRefusedError where nothing may be healed on these tables."""
        refusal = self.blocked
        if refusal is not None:
            raise HealRefusedError(refusal)

    async def end_others(self) -> None:
        """End runs that nobody works on and that were planned under other settings."""
        async with self.transaction() as connection:
            await end_others(connection, self.state, self.repairs)

    async def open_breaker(self, refusal: Decision) -> None:
        """Open the breaker for a refusal of `guard`; nothing where it is open, or not to open."""
        async with self.transaction() as connection:
            before = await read_control(connection, self.state)
            after = await open_breaker(connection, self.state, before, refusal)
        log_breaker_opened(before, after, asked=True)

    def executor(self, on_progress: OnProgress, *, window: bool = True) -> Executor:
        """Works one run. Without `window`, a person's run, it writes at any hour."""
        settings = self.settings
        context = healing_context(self.engine, settings, self.healing)
        heal = HealStrategy(
            context,
            window=settings.healing.window if window else None,
            timezone=settings.catalog.timezone,
        )
        counting = self.counting or self.healing
        undo = UndoStrategy(context, healing_context(self.engine, settings, counting))
        strategies: dict[RunKind, RunStrategy] = {
            RunKind.HEAL: heal,
            RunKind.USER: heal,
            RunKind.UNDO: undo,
        }
        if self.repair is not None:
            name = self.repair.repair.spec.name
            windows = {one.name: one.window for one in settings.repairs}
            strategies = {
                RunKind.REPAIR: RepairStrategy(
                    context,
                    self.repair,
                    window=windows.get(name),
                    timezone=settings.catalog.timezone,
                ),
                RunKind.UNDO: RepairUndoStrategy(context, self.repair),
            }
        return Executor(
            context,
            strategies,
            make_throttler(self.engine, settings),
            pace=pace_settings(settings),
            on_progress=on_progress,
        )


def repair_specs(settings: Settings) -> tuple[RepairSpec, ...]:
    """The configured repairs, in the words of healing."""
    return tuple(
        RepairSpec(one.name, one.table, one.key, one.find, one.action.value)
        for one in settings.repairs
    )


class CurrentRuntime:
    """The runtime of the catalogue as it was read last. Who works for longer than one call holds
    this, and reads `current` where it is used: the catalogue may have changed meanwhile."""

    def __init__(self, first: Runtime | None = None) -> None:
        self._runtime = first
        self._why_none = "The database has not answered yet."

    @property
    def current(self) -> Runtime:
        """The newest. Raises DatabaseUnavailableError before the catalogue could be read."""
        if self._runtime is None:
            raise DatabaseUnavailableError(self._why_none)
        return self._runtime

    def replace(self, runtime: Runtime) -> None:
        """The catalogue has been read again."""
        self._runtime = runtime

    def mark_unavailable(self, error: DatabaseUnavailableError) -> None:
        """Why there is none yet, for whoever asks for it."""
        self._why_none = str(error)


def pace_settings(settings: Settings) -> PaceSettings:
    """The configured pace, in plain numbers."""
    pace = settings.healing.pace
    return PaceSettings(
        batch_target_seconds=pace.batch_target.total_seconds(),
        max_batch=pace.max_batch,
        duty=pace.duty,
        writers=pace.writers,
    )


def policy_settings(settings: Settings) -> PolicySettings:
    """The settings that decide."""
    healing = settings.healing
    return PolicySettings(
        heals=healing.mode is Mode.HEAL,
        threshold=healing.threshold,
        consecutive=healing.consecutive,
        cooldown_seconds=healing.cooldown.total_seconds(),
        window=healing.window,
        max_share=healing.breaker.max_share,
        max_tracked_drop=healing.breaker.max_tracked_drop,
        stuck_after=healing.breaker.stuck_after,
    )


def repair_settings(repair: Repair) -> RepairSettings:
    """The settings of a repair that decide."""
    return RepairSettings(
        name=repair.name,
        check=repair.check,
        table=repair.table,
        heals=repair.mode is Mode.HEAL,
        cooldown_seconds=repair.cooldown.total_seconds(),
        window=repair.window,
        max_rows=repair.breaker.max_rows,
        max_share=repair.breaker.max_share,
        stuck_after=repair.breaker.stuck_after,
    )


async def inspect_rows(engine: AsyncEngine, settings: Settings) -> Examination:
    """The same for whoever works by it: raises DatabaseUnavailableError where a node of the cluster
    does not answer, because what was not asked would seem to be so until the next time."""
    examination = await inspect_catalogue(engine, settings)
    if examination.lost_node is not None:
        raise DatabaseUnavailableError(examination.lost_node)
    return examination


async def inspect_catalogue(engine: AsyncEngine, settings: Settings) -> Examination:
    """Read the catalogue and judge it."""
    database = settings.database
    timeout, lock_timeout = database.statement_timeout, database.lock_timeout

    async def read() -> Examination:
        async with snapshot(engine, timeout=timeout, lock_timeout=lock_timeout) as connection:
            return await examine(
                connection,
                settings.catalog_spec(),
                settings.pools_spec(),
                state_schema=database.state_schema,
            )

    return await when_unlocked(partial(again_if_lost, read), within=timeout)


MOST_ALIKE = 10
"""Findings of one kind that are told one by one to whoever is refused."""


def finding_sentence(finding: Finding) -> str:
    """A finding in one paragraph: what is wrong, what follows, what mends it."""
    return f"{finding.subject}: {finding.problem} {finding.consequence} {finding.mending}"


def blocking_sentences(
    examination: Examination, what: Blocks = Blocks.HEALING, *, suspicions: bool = True
) -> tuple[str, ...]:
    """A sentence for each finding that blocks `what`, for a few of one kind; those of `suspicions`
    where they are asked for."""
    kinds: dict[str, list[Finding]] = {}
    for one in examination.blocking(what):
        if suspicions or not one.accepted_as:
            kinds.setdefault(one.code, []).append(one)
    return tuple(sentence for alike in kinds.values() for sentence in _told(alike))


def _told(alike: Sequence[Finding]) -> Iterator[str]:
    yield from map(finding_sentence, alike[:MOST_ALIKE])
    more = len(alike) - MOST_ALIKE
    if more > 0:
        yield f"{more} more like {alike[0].subject}: `conservator doctor` lists them."


def require_catalogue(examination: Examination, what: Blocks = Blocks.HEALING) -> Catalogue:
    """The catalogue, unless findings block `what`. Raises CatalogueError with all of them."""
    blocking = blocking_sentences(examination, what)
    if blocking:
        raise CatalogueError("\n".join(blocking))
    if examination.catalogue is None:
        raise CatalogueError("A table or column is missing; run `conservator doctor`.")
    return examination.catalogue


def build(
    engine: AsyncEngine,
    settings: Settings,
    examination: Examination,
    catalogue: Catalogue,
    *,
    holder: str | None = None,
) -> Runtime:
    """The tools for `catalogue`, in the name of `holder` (default: a new one)."""
    state = StateStatements(catalogue, settings.pools_spec(), settings.database.state_schema)
    healing = HealingStatements(state)
    context = healing_context(engine, settings, healing)
    return Runtime(
        engine=engine,
        settings=settings,
        catalogue=catalogue,
        examination=examination,
        state=state,
        healing=healing,
        planner=Planner(context),
        undo_planner=UndoPlanner(context),
        holder=holder or process_name(),
    )


def healing_context(
    engine: AsyncEngine, settings: Settings, healing: HealingStatements
) -> HealingContext:
    """The database that is healed, with the configured deadlines."""
    return HealingContext(
        engine,
        healing,
        timeout=settings.database.statement_timeout,
        lock_timeout=settings.database.lock_timeout,
        lease=settings.lease,
    )


def census_form_sentence(catalogue: Catalogue, settings: Settings) -> str:
    """Which form of the census this catalogue gets, and why."""
    form, reason = choose_form(catalogue)
    return f"{form.value}: {reason}"


def make_throttler(engine: AsyncEngine, settings: Settings) -> Throttler:
    """Looks around for one run. `engine` is the primary's."""
    pace = settings.healing.pace
    promql = pace.promql
    return Throttler(
        partial(
            gather_signals,
            engine,
            wait_while=pace.wait_while,
            promql=None if promql is None else PromqlQuery(promql.url, promql.query),
        ),
        ThrottleSettings(
            max_lag_seconds=pace.max_replica_lag.total_seconds(),
            max_lag_bytes=pace.max_replica_lag_bytes,
            expected_replicas=pace.expected_replicas,
            max_value=None if promql is None else promql.max,
        ),
    )
