"""`reset-breaker`: a person has looked."""

from __future__ import annotations

from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.census import Census, take_census
from checks.doctor.findings import Blocks
from checks.spec import Cutoffs
from monitor.cli.output import console, moment, number, print_json
from monitor.cli.session import runtime_for, state_of, with_engine
from monitor.config import Settings
from monitor.database import database_now, snapshot, transaction
from monitor.policy.breaker_store import BreakerReset, reset
from monitor.runtime import Runtime
from monitor.state.control import Control, read_control


def reset_breaker(
    context: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Close the breaker, once you have looked; accepts the share shown until it has fallen."""

    async def work(engine: AsyncEngine, settings: Settings) -> None:
        state = await state_of(engine, settings)
        async with snapshot(engine, timeout=settings.database.statement_timeout) as connection:
            control = await read_control(connection, state)
        if not control.breaker_open:
            _say_closed(as_json)
            return
        runtime = await runtime_for(engine, settings, Blocks.COUNTING)
        census = await _count(runtime, control)
        if not as_json:
            _show(control, census, settings)
        if not yes:
            typer.confirm("Close the breaker?", abort=True, err=as_json)
        async with transaction(engine, timeout=settings.database.statement_timeout) as connection:
            done = await reset(
                connection,
                runtime.state,
                share=census.legacy_share,
                max_share=settings.healing.breaker.max_share,
            )
        _say_done(done, census, as_json)

    with_engine(context, work)


async def _count(runtime: Runtime, control: Control) -> Census:
    pools = runtime.settings.pools_spec()
    timeout = runtime.settings.database.statement_timeout
    async with snapshot(runtime.engine, timeout=timeout) as connection:
        cutoffs = Cutoffs.at(await database_now(connection), pools)
        return await take_census(
            connection,
            runtime.catalogue,
            pools,
            cutoffs,
            verified_until=control.verified_until,
        )


def _show(control: Control, census: Census, settings: Settings) -> None:
    console.print(
        f"Open since {moment(control.breaker_at)} ({control.breaker_code}):"
        f" {control.breaker_reason}",
        markup=False,
        soft_wrap=True,
    )
    console.print(
        f"Now: audience {number(census.audience)}, tracked {number(census.tracked)}, fresh"
        f" {number(census.fresh)}, storage {number(census.storage)}, legacy_untracked"
        f" {number(census.legacy_untracked)}: {census.legacy_share:.1%} of all pairs"
        f" (healing.breaker.max_share {settings.healing.breaker.max_share:.1%})."
    )


def _say_closed(as_json: bool) -> None:
    if as_json:
        print_json({"was_open": False, "breaker_open": False})
    else:
        console.print("The breaker is closed; there is nothing to reset.")


def _say_done(done: BreakerReset, census: Census, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "was_open": done.was_open,
                "breaker_open": False,
                "code": done.code,
                "reason": done.reason,
                "since": done.since,
                "accepted_share": done.accepted_share,
                "census": census,
            }
        )
    elif not done.was_open:
        console.print("Meanwhile somebody else has closed it; nothing was changed.")
    elif done.accepted_share is None:
        console.print("The breaker is closed. What was lost until now is judged no more.")
    else:
        console.print(
            f"The breaker is closed, and {done.accepted_share:.1%} of legacy pairs are accepted"
            " until they have fallen to max_share."
        )
