"""Every legal change of a run's state works, and the database refuses every other one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.database import transaction
from monitor.runtime import Runtime
from monitor.state.runs import Run, RunState, get_run
from monitor.state.transitions import (
    STATEMENTS,
    TRANSITIONS,
    Actor,
    IllegalTransitionError,
    abandon_user_runs,
    claim,
    close_run,
    finish_run,
    hold_run,
)
from tests.support.healing import heal, plan, planted
from tests.support.undoing import plan_undo

pytestmark = pytest.mark.prepared

Edge = tuple[Actor, RunState]
Change = Callable[[AsyncConnection, Runtime, Run], Awaitable[Any]]
LEASE = timedelta(minutes=1)
ENDS = (RunState.SUCCEEDED, RunState.PARTIAL, RunState.FAILED)


def ending(state: RunState) -> Change:
    return lambda connection, runtime, run: finish_run(
        connection, runtime.state, run, state, "over", remaining=0, legacy_after=0
    )


def closing(actor: Actor) -> Change:
    return lambda connection, runtime, run: close_run(
        connection, runtime.state, run.id, actor, "other settings"
    )


CHANGES: Mapping[Edge, Change] = {
    **{(Actor.HOLDER, state): ending(state) for state in ENDS},
    (Actor.HOLDER, RunState.HELD): lambda c, w, run: hold_run(c, w.state, run, "held"),
    (Actor.SUCCESSOR, RunState.RUNNING): lambda c, w, run: claim(
        c, w.state, run.id, holder="another", lease=LEASE
    ),
    **{
        (actor, RunState.PARTIAL): closing(actor) for actor in (Actor.SUCCESSOR, Actor.UNDO_PLANNER)
    },
    (Actor.CLEANER, RunState.FAILED): lambda c, w, _: abandon_user_runs(c, w.state),
}
"""How each actor asks for each state."""


def is_legal(edge: Edge, source: RunState, *, lease_over: bool) -> bool:
    return any(
        (found.actor, found.target) == edge and (lease_over or not found.lease_over)
        for found in TRANSITIONS
        if found.source is source
    )


async def state_after(
    runtime: Runtime, run: Run, edge: Edge, source: RunState, *, lease_over: bool, kind: str
) -> RunState | None:
    """What the edge makes of a run in the state `source`; None where its row was left alone."""
    async with transaction(runtime.engine, timeout=LEASE) as connection:
        await connection.exec_driver_sql(
            "UPDATE conservator.run SET state = %(state)s, kind = %(kind)s, token = %(token)s,"
            " outcome = '', holder = 'one', lease_until = now() + %(lease)s WHERE id = %(id)s",
            {
                "state": source.value,
                "kind": kind,
                "token": run.token,
                "lease": -LEASE if lease_over else LEASE,
                "id": run.id,
            },
        )
        before = await get_run(connection, runtime.state, run.id)
        await CHANGES[edge](connection, runtime, run)
        after = await get_run(connection, runtime.state, run.id)
    assert after is not None
    return None if after == before else after.state


def test_every_edge_has_a_statement_and_every_statement_an_edge() -> None:
    assert {(edge.actor, edge.target) for edge in TRANSITIONS} == STATEMENTS.keys()


def test_every_edge_of_a_run_that_exists_can_be_asked_for_here() -> None:
    assert {(edge.actor, edge.target) for edge in TRANSITIONS if edge.source} == CHANGES.keys()
    assert {edge.actor for edge in TRANSITIONS if edge.source is None} == {
        Actor.PLANNER,
        Actor.UNDO_PLANNER,
    }


@pytest.mark.parametrize("source", RunState)
async def test_the_legal_edges_work_and_the_database_refuses_all_others(
    app_database_url: str, source: RunState
) -> None:
    async with planted(app_database_url, users=2, artworks=2) as (_, runtime):
        run = await plan(runtime)
        for edge, lease_over in product(CHANGES, (False, True)):
            kind = "user" if edge[0] is Actor.CLEANER else "heal"
            found = await state_after(runtime, run, edge, source, lease_over=lease_over, kind=kind)
            expected = edge[1] if is_legal(edge, source, lease_over=lease_over) else None
            assert found == expected, f"{edge} from {source}, lease over: {lease_over}"


async def test_an_edge_of_the_holder_needs_its_token(app_database_url: str) -> None:
    async with planted(app_database_url, users=2, artworks=2) as (_, runtime):
        run = await plan(runtime)
        deposed = replace(run, token=run.token - 1)
        for actor, target in CHANGES:
            if actor is Actor.HOLDER:
                async with transaction(runtime.engine, timeout=LEASE) as connection:
                    await CHANGES[actor, target](connection, runtime, deposed)
                    found = await get_run(connection, runtime.state, run.id)
                assert found is not None
                assert (found.state, found.outcome) == (RunState.RUNNING, "")


async def test_the_cleaner_ends_no_run_over_the_audience(app_database_url: str) -> None:
    async with planted(app_database_url, users=2, artworks=2) as (_, runtime):
        run = await plan(runtime)
        edge = (Actor.CLEANER, RunState.FAILED)
        for source in (RunState.RUNNING, RunState.HELD):
            found = await state_after(runtime, run, edge, source, lease_over=True, kind="heal")
            assert found is None


async def test_planners_begin_runs_as_running(app_database_url: str) -> None:
    async with planted(app_database_url, users=2, artworks=2) as (_, runtime):
        healed = (await heal(runtime)).run
        assert (await plan_undo(runtime, healed.id)).state is RunState.RUNNING


@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.HELD])
async def test_no_run_ends_as_an_active_one(app_database_url: str, state: RunState) -> None:
    async with planted(app_database_url, users=2, artworks=2) as (_, runtime):
        run = await plan(runtime)
        async with transaction(runtime.engine, timeout=LEASE) as connection:
            with pytest.raises(IllegalTransitionError, match=state):
                await ending(state)(connection, runtime, run)
