"""The tools to take a run back: by the settings under which it wrote, not by the present ones. And
those of a repair, whose table is read when it is needed."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks.catalogue import Facts, read_catalogue
from checks.citus.cluster import LEDGER
from checks.errors import CatalogueError, StatementError
from checks.kept_catalogue import KeptCatalogue
from checks.pipeline import READ_ONLY
from checks.relations import Catalogue
from checks.row_security import HEALER
from checks.spec import CatalogueSpec
from checks.state_columns import (
    FOLLOWERS,
    Difference,
    keeps_values,
    originals,
    read_state_columns,
)
from monitor.config import Repair, Settings
from monitor.database import snapshot
from monitor.database_errors import sqlstate
from monitor.healing.errors import NotUndoableError, RepairBreakerError, RepairRefusedError
from monitor.healing.planner import Planner
from monitor.healing.repair_faults import RepairFault
from monitor.healing.repair_planner import RepairLimits, RepairPlanner, RepairPreview
from monitor.healing.repair_reading import read_table, repair_grants, require_table
from monitor.healing.repair_statements import RepairStatements
from monitor.healing.repair_table import RepairSpec, RepairTable, with_name
from monitor.healing.repair_undo import RepairUndoPlanner
from monitor.healing.statements import HealingStatements
from monitor.healing.undo_planner import UndoPlanner
from monitor.policy.decision import Decision
from monitor.runtime import Runtime, healing_context, repair_settings, repair_specs
from monitor.state.elsewhere import is_same_renamed, is_taken, renamed, replaced_by
from monitor.state.repairs import open_repair_breaker
from monitor.state.runs import Run, Trigger, active_run, get_run
from monitor.state.statements import SchemaStatements, StateStatements

_NEWER = (
    "Run {} was planned by a newer version of conservator, with settings that this one does not"
    " know: that version can take it back."
)


async def tools_to_undo(present: Runtime, run_id: int, *, looks: bool = False) -> Runtime:
    """The tools to take the run `run_id` back, or to go on with that.

    Raises NotUndoableError where what it wrote to is not there any more: an undo that was begun and
    put down is ended then, unless the caller only `looks`.
    """
    async with present.transaction() as connection:
        active = await active_run(connection, present.state)
        begun = active is not None and active.undoes == run_id
        run = active if begun else await get_run(connection, present.state, run_id)
    try:
        return present if run is None else await _tools_by(present, run)
    except NotUndoableError as error:
        claimed = await present.resume(run.id) if begun and run and not looks else None
        if claimed is None:
            raise
        # Else nothing could be healed or mended until that is there again, if ever.
        await present.give_up(claimed, str(error))
        told = f"{error} Run {claimed.id}, which had begun to, is ended; the rest is still listed."
        raise NotUndoableError(told) from error


async def tools_to_work(present: Runtime, run: Run) -> Runtime:
    """The tools to work a run that this process holds. Raises RefusedError."""
    if run.repair is not None:
        return await _tools_of_repair(present, run, undoes=run.undoes is not None)
    return present if run.undoes is None else await _tools_by(present, run)


async def tools_to_repair(present: Runtime, repair: Repair) -> Runtime:
    """The tools of a configured repair. Raises CatalogueError with all that is wrong with it."""
    (spec,) = [one for one in repair_specs(present.settings) if one.name == repair.name]
    return _with_repair(present, require_table(await _read_repair(present, spec), spec))


def repair_planner(tools: Runtime, repair: Repair) -> RepairPlanner:
    """Plans runs of the repair that `tools_to_repair` has read."""
    assert tools.repair is not None
    context = healing_context(tools.engine, tools.settings, tools.healing)
    limits = RepairLimits(repair.max_rows_per_run, repair_settings(repair))
    return RepairPlanner(context, tools.repair.repair, limits)


async def plan_repair(
    tools: Runtime,
    repair: Repair,
    trigger: Trigger,
    *,
    reason: str,
    max_rows: int | None = None,
    beyond_breaker: bool = False,
) -> Run | None:
    """A run of the repair that `tools_to_repair` has read, unless its breaker refuses, which then
    is open for everybody; None where `find` names nothing. Raises as `RepairPlanner.plan`."""
    await tools.end_others()
    try:
        return await repair_planner(tools, repair).plan(
            tools.run_owner(trigger),
            reason=reason,
            max_rows=max_rows or repair.max_rows_per_run,
            beyond_breaker=beyond_breaker,
        )
    except RepairBreakerError as error:
        async with tools.transaction() as connection:
            await open_for(connection, tools.state, repair.name, error.decision)
        raise


async def open_for(
    connection: AsyncConnection, state: SchemaStatements, repair: str, refusal: Decision
) -> None:
    """Open the breaker of a repair; nothing where `refusal` is that of one that is open."""
    if refusal.cause:
        code = refusal.code.value
        await open_repair_breaker(connection, state, repair, code=code, reason=refusal.cause)


async def preview_repair(tools: Runtime, repair: Repair) -> RepairPreview:
    """What a run of it would be about now. Raises StatementError."""
    assert tools.repair is not None
    timeout, rows = tools.settings.database.statement_timeout, tools.repair.repair.rows
    async with snapshot(tools.engine, timeout=timeout, rows=rows) as connection:
        return await repair_planner(tools, repair).preview(connection)


async def _read_repair(
    present: Runtime, spec: RepairSpec, *, undone: Run | None = None
) -> RepairTable | list[RepairFault]:
    timeout, schema = present.settings.database.statement_timeout, present.state.state_schema
    try:
        async with snapshot(present.engine, timeout=timeout) as connection:
            return await read_table(connection, present.catalogue, schema, spec, undone=undone)
    except StatementError as error:
        if sqlstate(error) != READ_ONLY:
            raise
        return [RepairFault("find", str(error))]


async def repair_faults(present: Runtime) -> tuple[str, ...]:
    """All that is wrong with the configured repairs on their tables, each with its path."""
    told = []
    for index, spec in enumerate(repair_specs(present.settings)):
        found = await _read_repair(present, spec)
        faults = [] if isinstance(found, RepairTable) else found
        told += [f"repairs[{index}].{one.key}: {one.sentence}" for one in faults]
    return tuple(told)


def _with_repair(present: Runtime, table: RepairTable) -> Runtime:
    statements = RepairStatements(table, present.state.state_schema)
    context = healing_context(present.engine, present.settings, present.healing)
    planner = RepairUndoPlanner(context, statements)
    return replace(present, repair=statements, undo_planner=planner)


async def grants_of_repairs(engine: AsyncEngine, settings: Settings) -> dict[str, tuple[str, ...]]:
    """By repair, what the role that heals needs for it."""
    found = {}
    for spec in repair_specs(settings):
        async with snapshot(engine, timeout=settings.database.statement_timeout) as connection:
            found[spec.name] = await repair_grants(connection, spec, HEALER)
    return found


async def _tools_of_repair(present: Runtime, run: Run, *, undoes: bool) -> Runtime:
    """The tools for a repair's run as it was planned, or for the undo of it, on the table that it
    changed, whatever that is called by now. Raises RepairRefusedError, NotUndoableError."""
    kept = run.repair_plan or {}
    spec = RepairSpec.of_run(str(run.repair), kept)
    refused = NotUndoableError if undoes else RepairRefusedError
    timeout = present.settings.database.statement_timeout
    async with snapshot(present.engine, timeout=timeout) as connection:
        name = await renamed(connection, spec.table, run.repair_oid)
        taken = await is_taken(connection, spec.table, run.repair_oid)
    if name is not None and (taken or not undoes):
        raise refused(_elsewhere(run, spec.table, name, undoes=undoes))
    spec = with_name(spec, name)
    read = await _read_repair(present, spec, undone=run if undoes else None)
    try:
        table = require_table(read, spec)
    except CatalogueError as error:
        raise refused(str(error)) from error
    if undoes:
        return _with_repair(present, table)
    if table.relation.oid != run.repair_oid or table.now.columns != kept["columns"]:
        raise RepairRefusedError(
            f"Run {run.id} was planned when {spec.table} was another table, or had other columns;"
            " what is wrong now is planned anew."
        )
    return _with_repair(present, table)


def _elsewhere(run: Run, then: str, name: str, *, undoes: bool) -> str:
    """Why a run stops whose table has another name, or which of two tables nobody can choose."""
    if not undoes:
        return (
            f"Run {run.id} was planned for the table that is called {name} now, and `find` reads"
            f" what is called {then}: what is wrong there is planned anew."
        )
    return (
        f"Run {run.undoes or run.id} changed the table that is called {name} now, and {then} is"
        f" another one by now: to give the rows of the first back, let {then} have another name for"
        f" the undo; where they were copied to {then}, drop {name}."
    )


async def _tools_by(present: Runtime, run: Run) -> Runtime:
    """The present tools wherever the same statements find what the run wrote."""
    if run.repair is not None:
        return await _tools_of_repair(present, run, undoes=True)
    if run.catalogue is None:
        return present
    kept = KeptCatalogue.read(run.catalogue)
    number = run.undoes or run.id
    if kept is None:
        raise NotUndoableError(_NEWER.format(number))
    await _refuse_replaced(present, kept.spec.impressions.table, run.impressions_oid, number)
    if kept.writes_like(present.state.kept):
        return present
    if is_same_renamed(kept.spec, run.impressions_oid, present.catalogue):
        return present
    catalogue = await _read(present, kept, run.impressions_oid, number)
    settings, schema = present.settings, present.state.state_schema
    state = StateStatements(catalogue, settings.pools_spec(), schema)
    healing = HealingStatements(state, followed=False)
    context = healing_context(present.engine, settings, healing)
    return replace(
        present,
        catalogue=catalogue,
        state=state,
        healing=healing,
        planner=Planner(context),
        undo_planner=UndoPlanner(context),
        counting=present.healing,
    )


async def _refuse_replaced(present: Runtime, then: str, oid: int | None, run_id: int) -> None:
    """Raises NotUndoableError where the configured table has the name of the one written to, which
    is there, too."""
    configured = present.catalogue.impressions
    if oid in (None, configured.oid):
        return
    timeout = present.settings.database.statement_timeout
    async with snapshot(present.engine, timeout=timeout) as connection:
        name = await replaced_by(connection, then, oid, configured)
    if name is not None:
        raise NotUndoableError(
            f"Run {run_id} wrote to the table that is called {name} now, and {then} is another one"
            f" by now: to take its rows back from the first, name {name} in catalog.impressions for"
            f" the undo; where they were copied to {then}, drop {name}."
        )


async def _read(present: Runtime, kept: KeptCatalogue, oid: int | None, run_id: int) -> Catalogue:
    """What the run wrote to, the table `oid`, as it is now. Raises NotUndoableError."""
    timeout = present.settings.database.statement_timeout
    async with snapshot(present.engine, timeout=timeout) as connection:
        facts = await _facts(connection, present, kept.spec, oid)
        if facts.catalogue is None:
            raise NotUndoableError(_gone(facts, run_id))
        found = await read_state_columns(connection, present.state.state_schema)
    wanted = originals(facts.catalogue)
    ledger = [
        Difference(ours, wanted[FOLLOWERS[ours.key]]) for ours in found if ours.table == LEDGER
    ]
    if not all(keeps_values(one) for one in ledger):
        raise NotUndoableError(
            f"Run {run_id} wrote to {kept.spec.impressions.table}, whose ids or moments have other"
            " types than the service's own tables by now, so that its rows can't be told from"
            " others."
        )
    return facts.catalogue


async def _facts(
    connection: AsyncConnection, present: Runtime, spec: CatalogueSpec, oid: int | None
) -> Facts:
    """By the name that the table has now; by that of then where it is not there any more, as after
    a restore, or is no such table."""
    today = present.catalogue.spec
    names = [await renamed(connection, spec.impressions.table, oid), spec.impressions.table]
    for name in names:
        if name is None:
            continue
        written = replace(spec.impressions, table=name)
        facts = await read_catalogue(connection, replace(spec, impressions=written))
        if facts.catalogue is None:
            # An undo needs the impressions alone: where the other tables went too, today's do.
            alone = replace(today, impressions=written, timezone=spec.timezone)
            facts = await read_catalogue(connection, alone)
        if facts.catalogue is not None:
            break
    return facts


def _gone(facts: Facts, run_id: int) -> str:
    table = facts.spec.impressions.table
    if facts.impressions is None:
        what = f"{table}, which is not there any more, or not visible to role {facts.role}"
    else:
        lacking = ", ".join([*facts.missing_columns, *facts.refused_moments])
        what = f"{table} as it was configured then, and that can't be read any more: {lacking}"
    return f"Run {run_id} wrote to {what}: nothing of it can be taken back."
