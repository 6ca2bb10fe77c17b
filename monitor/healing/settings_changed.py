"""Ends runs that nobody works on and that were planned under other settings."""

from __future__ import annotations

from collections.abc import Mapping

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.kept_catalogue import other_settings
from monitor.state.control import begin_anew_where_others_count
from monitor.state.runs import Run, make_run
from monitor.state.statements import StateStatements
from monitor.state.transitions import Actor, close_run

log = structlog.get_logger(__name__)


def has_other_settings(run: Run, state: StateStatements) -> bool:
    """Whether going on with the run under the present settings would be another run."""
    return run.undoes is None and bool(other_settings(run.catalogue, state.kept))


Repairs = Mapping[str, Mapping[str, object]]
"""What runs keep of the configured repairs, by name."""


async def end_others(connection: AsyncConnection, state: StateStatements, repairs: Repairs) -> bool:
    """End every run of heal or of a repair, unattended and planned under settings of what is
    counted or written that are not the present ones; what is missing is planned anew. An undo keeps
    its own. True where there was one. What other settings counted is no measure any more, either.
    """
    await begin_anew_where_others_count(connection, state, state.kept.tallied)
    ended = False
    for run in await state.list(connection, "run_unattended", make_run):
        settings = other_settings(run.catalogue, state.kept)
        if run.repair is not None:
            settings = other_repair(run, repairs)
        if not settings:
            continue
        outcome = outcome_sentence(settings)
        if await close_run(connection, state, run.id, Actor.SUCCESSOR, outcome):
            log.info("run_ended_by_settings", run_id=run.id, settings=settings)
            ended = True
    return ended


def other_repair(run: Run, repairs: Repairs) -> tuple[str, ...]:
    """The settings of a repair's run that are others now; its name where it is gone."""
    now, then = repairs.get(str(run.repair)), run.repair_plan or {}
    if now is None:
        return (f"repairs: {run.repair}",)
    return tuple(f"repairs.{run.repair}.{key}" for key in now if now[key] != then.get(key))


def outcome_sentence(settings: tuple[str, ...]) -> str:
    """Why such a run goes on no more."""
    return (
        f"Ended where it stood: it was planned under other settings ({', '.join(settings)}); what"
        " is missing now is planned anew."
    )
