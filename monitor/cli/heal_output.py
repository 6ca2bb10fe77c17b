"""What `heal` shows: the plan, the progress, before and after."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from rich.console import RenderableType
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
)
from rich.text import Text

from checks.pairs import UserCensus
from monitor.cli.output import console, duration, number, size, table
from monitor.healing import executor
from monitor.healing.preview import HealPreview
from monitor.state.runs import Run, RunState


def preview_fields(plan: HealPreview) -> dict[str, object]:
    """The plan for programs."""
    return {
        "census": plan.census,
        "users": plan.users,
        "rows": plan.rows,
        "growth_bytes": plan.growth_bytes,
        "exhausted_users": plan.exhausted_users,
        "exhausted_minimum": plan.minimum,
        "young_users": plan.young_users,
        "young_users_excluded": plan.young_users_excluded,
    }


def print_preview(plan: HealPreview) -> None:
    """The plan for people."""
    census = plan.census
    shown = table("pairs", "now", numbers=("now",))
    for state, count in zip(
        ("tracked", "fresh", "storage", "legacy_untracked"), census.counts, strict=True
    ):
        shown.add_row(state, number(count))
    console.print(shown)
    if plan.rows == 0:
        console.print("Nothing to heal: no pair is legacy-untracked.")
        return
    oldest = census.oldest_legacy_created
    console.print(
        f"Plan: {number(plan.rows)} impressions for {number(plan.users.affected)} users and"
        f" {number(census.legacy_artworks)} artworks, the oldest created {_day(oldest)};"
        f" the table grows by about {size(plan.growth_bytes)}."
    )
    if plan.rows < census.legacy_untracked:
        rest = census.legacy_untracked - plan.rows
        console.print(f"{number(rest)} more stay for a later run (max_rows_per_run).")
    if plan.exhausted_users:
        console.print(
            f"[yellow]{number(plan.exhausted_users)} users will have fewer than {plan.minimum}"
            " unseen artworks left (checks.pool_exhaustion.minimum).[/yellow]"
        )
    if plan.young_users and not plan.young_users_excluded:
        console.print(
            f"[yellow]{number(plan.young_users)} users are younger than some of the artworks and"
            " never could have seen them; set catalog.users.created_at to leave those pairs"
            " out.[/yellow]"
        )
    elif plan.young_users:
        console.print(
            f"{number(plan.young_users)} users are younger than some of the artworks; those pairs"
            " are left alone."
        )


def print_user_plan(user: str, census: UserCensus) -> None:
    """One user's counts, for people."""
    console.print(
        f"User {user}: tracked {number(census.tracked)}, fresh {number(census.fresh)},"
        f" storage {number(census.storage)}, legacy_untracked {number(census.legacy_untracked)}.",
        markup=False,
    )


def print_ended(ended: executor.RunResult) -> None:
    """Before and after, and how the run ended."""
    run = ended.run
    style = "green" if run.state is RunState.SUCCEEDED else "bold red"
    console.print(
        f"Run {run.id} [{style}]{run.state.value}[/{style}]: {number(run.inserted)} impressions in"
        f" {number(run.batches)} batches, {duration(run.writing_seconds)} writing,"
        f" {duration(run.waiting_seconds)} waiting. {escape(run.outcome)}"
    )
    if run.state is RunState.HELD:
        console.print("`conservator heal` goes on from there.")
    elif run.legacy_after is not None:
        console.print(
            f"legacy_untracked: {number(run.legacy_before)} →"
            f" [bold]{number(run.legacy_after)}[/bold]"
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
def progress_display(run: Run, *, quiet: bool) -> Iterator[executor.OnProgress]:
    """A live bar with rate and ETA; nothing where `quiet`."""
    if quiet:
        yield lambda _: None
        return
    bar = _Bar(
        TextColumn("run {task.fields[run]}"),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TextColumn(
            "{task.fields[rate]} rows/s, {task.fields[eta]} to go, batch {task.fields[size]}"
        ),
        console=console,
    )
    with bar:
        task = bar.add_task(
            "",
            total=run.planned_rows,
            completed=run.inserted,
            run=run.id,
            rate="–",
            eta="–",
            size=0,
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


def _day(seconds: float | None) -> str:
    try:
        return "–" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
    except (OverflowError, ValueError, OSError):
        return "before the calendar"
