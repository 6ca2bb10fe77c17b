"""A run that a person asks for: plan, ask, work it before the person's eyes, verify."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
)
from rich.text import Text

from checks.errors import RefusedError
from monitor.cli.output import console, counted, duration, number, print_json, print_text
from monitor.cli.session import Session
from monitor.cli.signals import confirmed
from monitor.healing import executor
from monitor.healing.executor import OnProgress, RunResult
from monitor.runtime import Runtime
from monitor.state.control import read_control
from monitor.state.runs import Run, RunKind, RunState

DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the plan; write nothing at all.")]

REASON = "Asked for on the command line."


@dataclass(frozen=True, slots=True)
class StartedRun:
    """A run that this process holds."""

    run: Run
    resumed: bool
    """It was left unfinished before."""


CheckResults = Sequence[Mapping[str, Any]]
"""Results of checks as the API tells them."""


async def _no_check() -> CheckResults:
    return ()


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What a command knows before anybody is asked, and what it does when they agree."""

    command: str
    """What to type to go on with a run that was put down."""
    fields: Mapping[str, object]
    """For programs, where it is a dry run."""
    nothing: Mapping[str, object]
    """For programs, where there was nothing to do."""
    show: Callable[[], None]
    """For people."""
    refused: str | None
    """Why it must not be done; a dry run does not ask."""
    question: str | None
    """What a person has to agree to; None where there is nothing new to write."""
    start: Callable[[], Awaitable[StartedRun | None]]
    """None where nothing is left to do. Raises RefusedError."""
    blocked: bool = False
    """The tables forbid it, whatever a person says; `show` tells why."""
    counts: str = "impression"
    """What is counted, in the singular."""
    check_again: Callable[[], Awaitable[CheckResults]] = _no_check
    """Looks, once nothing is left to do, whether that has mended what it was to mend."""


async def carry_out(
    plan: RunPlan,
    session: Session,
    runtime: Runtime,
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Show, ask, work the run, say how it ended. The exit code: 1 unless all of it was done, or
    could be."""
    if not as_json:
        plan.show()
    elif dry_run:
        print_json(plan.fields)
    if dry_run:
        return 1 if plan.blocked else 0
    if plan.refused is not None:
        raise RefusedError(plan.refused)
    if plan.question is not None and not yes:
        confirmed(plan.question, abort=True, err=as_json)
    started = await plan.start()
    if started is None:
        if not as_json and plan.question is not None:
            console.print("Meanwhile there is nothing left to do.")
        await _check_again(plan, plan.nothing if as_json else None)
        return 0
    if started.resumed and not as_json:
        console.print(
            f"Run {started.run.id} was left unfinished at {started.run.inserted:,} of"
            f" {started.run.planned_rows:,} rows; it goes on from there."
        )
    with _progress_bar(started.run, shown=not as_json) as on_progress:
        ended = await _in_foreground(runtime, started.run, on_progress)
    async with session.snapshot() as connection:
        breaker_open = (await read_control(connection, runtime.state)).breaker_open
    if not as_json:
        _show_ended(ended.run, plan, breaker_open=breaker_open)
    fields = {"run": ended.run, "run_id": ended.run.id, "census": ended.census}
    told = {**fields, "breaker_open": breaker_open} if as_json else None
    await _check_again(plan, told)
    return 0 if ended.run.state is RunState.SUCCEEDED else 1


async def _in_foreground(runtime: Runtime, run: Run, on_progress: OnProgress) -> RunResult:
    """Work the run; a signal, which cancels us, lets the batch finish and puts the run down."""
    executor = runtime.executor(on_progress, window=False)
    working = asyncio.create_task(executor.work(run), name="run")
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        executor.stop()
        return await working


async def _check_again(plan: RunPlan, fields: Mapping[str, object] | None) -> None:
    """Say what the check finds now: to programs beside `fields`, where there are any, which are
    said whatever becomes of the check; else to people."""
    checks: CheckResults = ()
    try:
        checks = await plan.check_again()
    finally:
        if fields is not None:
            print_json({**fields, "checks": checks} if checks else fields)
    if fields is None:
        for one in checks:
            print_text(f"Check {one['name']}: {one['outcome'] or 'unknown'}. {one['message']}")


def _show_ended(run: Run, plan: RunPlan, *, breaker_open: bool) -> None:
    style = "green" if run.state is RunState.SUCCEEDED else "bold red"
    written = counted(run.inserted, plan.counts)
    console.print(
        f"Run {run.id} [{style}]{run.state.value}[/{style}]: {written} in"
        f" {counted(run.batches, 'batch', 'batches')}, {duration(run.writing_seconds)} writing,"
        f" {duration(run.waiting_seconds)} waiting."
    )
    print_text(run.outcome)
    if run.state is RunState.HELD:
        console.print(f"`conservator {plan.command}` goes on from there.")
    elif run.legacy_after is not None and run.legacy_before is not None:
        console.print(
            f"legacy_untracked: {run.legacy_before:,} → [bold]{run.legacy_after:,}[/bold]"
        )
    elif run.legacy_after is not None:
        console.print(f"legacy_untracked: [bold]{run.legacy_after:,}[/bold] now")
    if breaker_open and run.kind is not RunKind.UNDO:
        console.print(
            "The breaker is still open: `conservator reset-breaker` lets automatic healing go on."
        )


class _Bar(Progress):
    """The bar, and below it what the run waits for: a sentence is too long for a column."""

    waiting_for: str | None = None

    def get_renderables(self) -> Iterator[RenderableType]:
        """What is shown, from the top."""
        yield from super().get_renderables()
        if self.waiting_for:
            yield Text(f"Waiting: {self.waiting_for}", style="yellow")


@contextmanager
def _progress_bar(run: Run, *, shown: bool) -> Iterator[OnProgress]:
    """A live bar with rate and ETA."""
    bar = _Bar(
        TextColumn(f"run {run.id}"),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TextColumn(
            "{task.fields[rate]} rows/s, {task.fields[eta]} to go, batch {task.fields[size]}"
        ),
        console=console,
        disable=not shown,
    )
    with bar:
        task = bar.add_task(
            "", total=run.planned_rows, completed=run.inserted, rate="–", eta="–", size=0
        )

        def show(progress: executor.Progress) -> None:
            bar.waiting_for = progress.waiting_for
            bar.update(
                task,
                total=max(progress.run.planned_rows, progress.inserted),
                completed=progress.inserted,
                rate=number(round(progress.rows_per_second)),
                eta=duration(progress.eta_seconds),
                size=progress.size,
            )

        yield show
