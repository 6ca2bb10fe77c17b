"""The switches that a person throws: `pause`, `resume`, `reset-breaker`."""

from __future__ import annotations

from typing import Annotated

import typer

from checks.census import Census, take_census
from monitor.cli.output import console, moment, number, print_result, print_text, record_fields
from monitor.cli.session import (
    AsJson,
    Session,
    Yes,
    find_repair,
    run_on_state,
    run_session,
    settings_of,
)
from monitor.policy.breaker_store import BreakerReset, RepairBreakerReset, reset, reset_repair
from monitor.run_tools import preview_repair, tools_to_repair
from monitor.runtime import repair_settings
from monitor.state import control
from monitor.state.control import Control, read_control
from monitor.state.repairs import RepairCount, read_repair_control, resume_repair


def pause(
    context: typer.Context,
    reason: Annotated[str, typer.Option(help="Why; shown wherever healing is asked for.")] = "",
    as_json: AsJson = False,
) -> None:
    """Stop everything that writes, in every process, before its next batch.

    Example: conservator pause --reason "The app is being deployed."
    """
    run_on_state(
        context, lambda connection, state: control.pause(connection, state, reason), writes=True
    )
    print_result(
        {"paused": True, "reason": reason},
        "Paused: nothing writes from here on. `conservator resume` ends it.",
        as_json=as_json,
    )


def resume(
    context: typer.Context,
    repair: Annotated[
        str | None, typer.Argument(help="A repair, whose suspension is ended, and nothing else.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """End a pause and a suspension of healing; or the suspension of a repair.

    Example: conservator resume
    """
    if repair is not None:
        _resume_repair(context, repair, as_json=as_json)
        return
    run_on_state(context, control.resume, writes=True)
    print_result(
        {"paused": False, "suspended": False},
        "Resumed: healing may write again.",
        as_json=as_json,
    )


def _resume_repair(context: typer.Context, repair: str, *, as_json: bool) -> None:
    configured = find_repair(settings_of(context), repair)
    ended = run_on_state(
        context,
        lambda connection, state: resume_repair(connection, state, configured.name),
        writes=True,
    )
    print_result(
        {"repair": repair, "was_suspended": ended, "suspended": False},
        f"Resumed: {repair} is no longer suspended."
        if ended
        else f"{repair} is not suspended; nothing was changed.",
        as_json=as_json,
    )


def reset_breaker(
    context: typer.Context,
    repair: Annotated[
        str | None, typer.Argument(help="A repair, whose own breaker it is, and no other.")
    ] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Close the breaker, once you have looked; accepts what is shown until it has fallen.

    Example: conservator reset-breaker
    """
    if repair is not None:
        _reset_repair(context, repair, yes=yes, as_json=as_json)
        return

    async def work(session: Session) -> None:
        state = await session.state()
        max_share = session.settings.healing.breaker.max_share
        async with session.snapshot() as connection:
            before = await read_control(connection, state)
        if not before.breaker_open:
            print_result(
                {"was_open": False, "breaker_open": False},
                "The breaker is closed; there is nothing to reset.",
                as_json=as_json,
            )
            return
        census, suspicion = await _count(session, before)
        if not as_json:
            _show_breaker(before, census, max_share)
        if suspicion and not as_json:
            print_text(suspicion, style="bold red")
        if not yes:
            typer.confirm("Close the breaker?", abort=True, err=as_json)
        async with session.transaction() as connection:
            done = await reset(connection, state, share=census.legacy_share, max_share=max_share)
        fields = {**record_fields(done), "breaker_open": False, "census": census}
        print_result(fields, _reset_sentence(done), as_json=as_json)

    run_session(context, work)


def _reset_repair(context: typer.Context, name: str, *, yes: bool, as_json: bool) -> None:
    async def work(session: Session) -> None:
        state, repair = await session.state(), find_repair(session.settings, name)
        async with session.snapshot() as connection:
            own = await read_repair_control(connection, state, name)
        if not own.breaker_open:
            print_result(
                {"repair": name, "was_open": False, "breaker_open": False},
                f"The breaker of {name} is closed; there is nothing to reset.",
                as_json=as_json,
            )
            return
        tools = await tools_to_repair(await session.runtime(), repair)
        found = await preview_repair(tools, repair)
        if not as_json:
            print_text(
                f"Open since {moment(own.breaker_at)} ({own.breaker_code}): {own.breaker_reason}"
            )
            console.print(
                f"Now: find names {number(found.named)} rows, {found.share:.2%} of {repair.table}"
                f" (breaker.max_rows {number(repair.breaker.max_rows)}, max_share"
                f" {repair.breaker.max_share:.2%}).",
                markup=False,
            )
        if not yes:
            typer.confirm("Close the breaker?", abort=True, err=as_json)
        count = RepairCount(found.seconds, found.named, found.table_rows, found.share)
        async with session.transaction() as connection:
            done = await reset_repair(connection, state, repair_settings(repair), count)
        fields = {**record_fields(done), "breaker_open": False, "would_mend": found.named}
        print_result(fields, _reset_repair_sentence(done), as_json=as_json)

    run_session(context, work)


def _reset_repair_sentence(done: RepairBreakerReset) -> str:
    if not done.was_open:
        return "Meanwhile somebody else has closed it; nothing was changed."
    if done.accepted_rows is None:
        return f"The breaker of {done.repair} is closed. Runs until now are judged no more."
    return (
        f"The breaker of {done.repair} is closed, and {done.accepted_rows:,} rows are accepted"
        " until they have fallen to what it allows."
    )


async def _count(session: Session, before: Control) -> tuple[Census, str]:
    """The census, and what is suspected of it."""
    runtime = await session.runtime()
    async with session.snapshot(rows=runtime.rows) as connection:
        census = await take_census(
            connection,
            runtime.catalogue,
            session.settings.pools_spec(),
            await session.cutoffs(connection),
            verified_until=before.verified_until,
        )
    return census, runtime.examination.suspicion


def _show_breaker(before: Control, census: Census, max_share: float) -> None:
    print_text(
        f"Open since {moment(before.breaker_at)} ({before.breaker_code}): {before.breaker_reason}"
    )
    console.print(
        f"Now: audience {number(census.audience)}, tracked {number(census.tracked)}, fresh"
        f" {number(census.fresh)}, storage {number(census.storage)}, legacy_untracked"
        f" {number(census.legacy_untracked)}: {census.legacy_share:.1%} of all pairs"
        f" (healing.breaker.max_share {max_share:.1%})."
    )


def _reset_sentence(done: BreakerReset) -> str:
    if not done.was_open:
        return "Meanwhile somebody else has closed it; nothing was changed."
    if done.accepted_share is None:
        return "The breaker is closed. What was lost until now is judged no more."
    return (
        f"The breaker is closed, and {done.accepted_share:.1%} of legacy pairs are accepted"
        " until they have fallen to max_share."
    )
