"""`heal`: the audience, or one user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from checks.doctor.findings import Blocks
from checks.doctor.vanished import CODE as DELETED_ON_PURPOSE
from checks.errors import RefusedError
from checks.kept_catalogue import other_settings
from checks.moment_names import day_name
from checks.pairs import UserCensus, take_user_census
from checks.sequences import shortage
from monitor.cli.foreground import REASON, DryRun, RunPlan, StartedRun, carry_out
from monitor.cli.output import console, number, print_table, print_text, record_fields, size
from monitor.cli.pair_file import PairFile, pair_file
from monitor.cli.session import AsJson, Session, Yes, run_session
from monitor.healing.errors import active_sentence, paused_sentence
from monitor.healing.pair_list import UserShare, list_pairs, list_pairs_of_user, most_affected
from monitor.healing.preview import HealPreview, preview_heal
from monitor.healing.quarantine import count_left_alone, count_unwritable_of_user
from monitor.healing.settings_changed import has_other_settings
from monitor.runtime import Runtime, blocking_sentences
from monitor.service.startup import ensure_schema
from monitor.state.control import Control, read_control
from monitor.state.runs import Run, RunKind, Trigger, active_run


def heal(
    context: typer.Context,
    dry_run: DryRun = False,
    user: Annotated[
        str | None, typer.Option("--user", metavar="ID", help="Only this user, again if need be.")
    ] = None,
    max_rows: Annotated[
        int | None, typer.Option("--max-rows", metavar="N", min=1, help="At most so many rows.")
    ] = None,
    yes: Yes = False,
    beyond_breaker: Annotated[
        bool, typer.Option("--beyond-breaker", help="Go on although the breaker refuses.")
    ] = False,
    csv: Annotated[
        Path | None,
        typer.Option(
            "--csv",
            metavar="FILE",
            help="With --dry-run: the pairs that a run would write, into a new file; - prints them"
            " instead of the plan.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Plan, ask, heal, verify; before and after in numbers. Exit 1 unless all of it was healed.

    Example: conservator heal --dry-run --csv pairs.csv
    """
    listing = pair_file(csv, dry_run=dry_run, as_json=as_json)

    async def work(session: Session) -> int:
        runtime = await session.runtime(Blocks.COUNTING if dry_run else Blocks.HEALING)
        if user is not None:
            plan = await _plan_user(session, runtime, user, beyond_breaker, listing)
        else:
            rows = max_rows or session.settings.healing.max_rows_per_run
            plan = await _plan_audience(session, runtime, dry_run, rows, beyond_breaker, listing)
        if listing is not None and listing.is_printed:
            for sentence in blocking_sentences(runtime.examination):
                typer.echo(f"conservator: {sentence}", err=True)
            return 1 if plan.blocked else 0
        return await carry_out(plan, session, runtime, dry_run=dry_run, yes=yes, as_json=as_json)

    return run_session(context, work)


@dataclass(frozen=True, slots=True)
class _Look:
    """What is there before anybody is asked, in one snapshot."""

    has_schema: bool
    control: Control
    active: Run | None
    """The run that `heal` goes on with, or waits for."""
    other: Run | None
    """The one that it ends and plans anew, because the settings have changed."""
    found: HealPreview
    most: Sequence[UserShare]
    """The users with the most rows."""
    short: str | None
    """Why the rows would use too much of a sequence up."""


async def _look(
    session: Session, runtime: Runtime, max_rows: int, listing: PairFile | None
) -> _Look:
    control, active, other = Control(), None, None
    async with session.snapshot(rows=runtime.rows) as connection:
        exists = await session.has_schema(connection)
        if exists:
            control = await read_control(connection, runtime.state)
            active = await active_run(connection, runtime.state)
        if active is not None and active.claimable and has_other_settings(active, runtime.state):
            active, other = None, active
        if listing is not None and active is not None:
            # What `heal` would go on with are pairs of a plan that is older than this snapshot.
            raise RefusedError(active_sentence(active))
        cutoffs = await session.cutoffs(connection)
        found = await preview_heal(
            connection,
            runtime.healing,
            cutoffs,
            max_rows=max_rows,
            minimum=session.settings.checks.pool_exhaustion.minimum,
            verified_until=control.verified_until,
        )
        most: Sequence[UserShare] = ()
        if found.rows:
            most = await most_affected(connection, runtime.healing, cutoffs, max_rows=max_rows)
        if listing is not None:
            pairs = list_pairs(connection, runtime.healing, cutoffs, max_rows=max_rows)
            await listing.write(pairs, expected=found.rows)
        short = await shortage(connection, runtime.catalogue, found.rows)
    return _Look(exists, control, active, other, found, most, short)


async def _plan_audience(
    session: Session,
    runtime: Runtime,
    dry_run: bool,
    max_rows: int,
    beyond_breaker: bool,
    listing: PairFile | None,
) -> RunPlan:
    look = await _look(session, runtime, max_rows, listing)
    control, active, found, short = look.control, look.active, look.found, look.short
    breaker = runtime.guard(found.census, control)
    obstacles = _obstacles(runtime)
    refused = _other_refusal(control, active) or (short if active is None else None)
    if refused is None and breaker is not None and (active is not None or found.rows):
        if look.has_schema and not dry_run:
            await runtime.open_breaker(breaker)
        refused = None if beyond_breaker else breaker.reason

    def show() -> None:
        _show_blocked(obstacles["blocked"])
        _show_other(look.other, runtime)
        _show_preview(found, look.most)
        _show_warnings(runtime, short, listing)
        if breaker is not None and (dry_run or beyond_breaker):
            told = Text.assemble(("Breaker: ", "bold red"), breaker.reason)
            console.print(told, soft_wrap=True)

    async def start() -> StartedRun | None:
        if active is not None:
            return StartedRun(await _take_up(runtime, active, beyond_breaker), resumed=True)
        if look.other is not None:
            await runtime.end_others()
        if found.rows == 0:
            return None
        await ensure_schema(runtime.engine, runtime.state)
        planned = await runtime.plan_audience(
            Trigger.COMMAND,
            reason=f"{REASON} Beyond the breaker." if beyond_breaker else REASON,
            max_rows=max_rows,
            beyond_breaker=beyond_breaker,
        )
        return None if planned.run is None else StartedRun(planned.run, resumed=False)

    first = next(iter(obstacles["blocked"]), short or (breaker.reason if breaker else None))
    return RunPlan(
        command="heal",
        fields={**_fields(look), **obstacles, "refused": first},
        nothing={"run": None, "census": found.census},
        show=show,
        refused=refused,
        # Nobody is asked about a run that goes on.
        question=f"Write {found.rows:,} impressions?" if found.rows and active is None else None,
        start=start,
        blocked=bool(obstacles["blocked"]),
    )


def _fields(look: _Look) -> dict[str, object]:
    """For programs: what a run would write."""
    fields = record_fields(look.found)
    fields["exhausted_minimum"] = fields.pop("minimum")
    return {**fields, "most_affected": look.most}


def _obstacles(runtime: Runtime) -> dict[str, Sequence[str]]:
    """For programs: why the tables forbid healing, whatever a person says, and what a person should
    know before."""
    examination = runtime.examination
    return {
        "blocked": blocking_sentences(examination),
        "suspicions": examination.suspicion_names,
        "warnings": _warnings(runtime),
    }


def _other_refusal(control: Control, active: Run | None) -> str | None:
    """Why no run may start or go on, whatever the breaker says."""
    if control.paused:
        return paused_sentence(control.paused_reason)
    if active is not None and active.kind in (RunKind.UNDO, RunKind.REPAIR):
        return active_sentence(active)
    return None


async def _take_up(runtime: Runtime, active: Run, beyond_breaker: bool) -> Run:
    claimed = await runtime.resume(active.id, beyond_breaker=beyond_breaker)
    if claimed is None:
        raise RefusedError(
            f"Run {active.id} is active at {active.inserted:,} of {active.planned_rows:,} rows,"
            f" held by {active.holder}; wait for its end, or `conservator pause`."
        )
    return claimed


async def _look_at_user(
    session: Session, runtime: Runtime, user: str, listing: PairFile | None
) -> tuple[UserCensus, int, str | None]:
    """In one snapshot: the user's counts, the rows that a run would write, and why they would use
    too much of a sequence up."""
    pools = session.settings.pools_spec()
    async with session.snapshot(rows=runtime.rows) as connection:
        cutoffs = await session.cutoffs(connection)
        census = await take_user_census(connection, runtime.catalogue, pools, cutoffs, user)
        exists = await session.has_schema(connection)
        if exists:
            aside = await count_unwritable_of_user(
                connection, runtime.healing, cutoffs, user, due_until=cutoffs.now
            )
        else:
            aside = await count_left_alone(connection, runtime.healing, cutoffs, user)
        rows = max(0, census.legacy_untracked - aside)
        if listing is not None:
            pairs = list_pairs_of_user(
                connection, runtime.healing, cutoffs, user, rows=rows, quarantine=exists
            )
            await listing.write(pairs, expected=rows)
        return census, rows, await shortage(connection, runtime.catalogue, rows)


async def _plan_user(
    session: Session,
    runtime: Runtime,
    user: str,
    beyond_breaker: bool,
    listing: PairFile | None,
) -> RunPlan:
    census, rows, short = await _look_at_user(session, runtime, user, listing)
    obstacles = _obstacles(runtime)

    def show() -> None:
        _show_blocked(obstacles["blocked"])
        console.print(
            f"User {user}: tracked {number(census.tracked)}, fresh {number(census.fresh)},"
            f" storage {number(census.storage)}, legacy_untracked"
            f" {number(census.legacy_untracked)}.",
            markup=False,
        )
        _show_warnings(runtime, short, listing)

    async def start() -> StartedRun | None:
        if rows == 0:
            return None
        await ensure_schema(runtime.engine, runtime.state)
        run = await runtime.plan_user(
            Trigger.COMMAND,
            user,
            reason=REASON,
            # A person who names a user means it; the once-flag is for the app's login hook.
            force=True,
            beyond_breaker=beyond_breaker,
        )
        return StartedRun(run, resumed=False) if isinstance(run, Run) else None

    fields = {"user": user, "census": census, "rows": rows, "refused": short}
    return RunPlan(
        command="heal",
        fields={**fields, **obstacles},
        nothing=fields,
        show=show,
        refused=short,  # all else is the planner's business
        question=f"Write {rows:,} impressions for this user?" if rows else None,
        start=start,
        blocked=bool(obstacles["blocked"]),
    )


def _show_other(other: Run | None, runtime: Runtime) -> None:
    """What becomes of a run that nobody works on."""
    if other is not None:
        settings = other_settings(other.catalogue, runtime.state.kept)
        print_text(
            f"Run {other.id} was put down at {other.inserted:,} of {other.planned_rows:,} rows and"
            f" planned under other settings ({', '.join(settings)}): it is ended, and this plan"
            " takes its place.",
            "yellow",
        )


def _show_blocked(blocked: Sequence[str]) -> None:
    """What a dry run says first: the rest is only what would be written otherwise."""
    if blocked:
        console.print("[bold red]Healing is impossible[/bold red] until this is mended:")
    for sentence in blocked:
        print_text(sentence)


def _warnings(runtime: Runtime) -> list[str]:
    """What doctor knows and a person should before agreeing."""
    return [
        f"{finding.problem} {finding.consequence} {finding.mending.removeprefix('-- ')}"
        for finding in runtime.examination.findings
        if finding.code == DELETED_ON_PURPOSE
    ]


def _show_warnings(runtime: Runtime, short: str | None, listing: PairFile | None) -> None:
    for warning in _warnings(runtime):
        print_text(warning, "yellow")
    if short is not None:
        print_text(f"Refused: {short}", "bold red")
    if listing is not None:
        print_text(f"The pairs are in {listing.path}.")


def _show_preview(plan: HealPreview, most: Sequence[UserShare]) -> None:
    census = plan.census
    counts = zip(("tracked", "fresh", "storage", "legacy_untracked"), census.counts, strict=True)
    print_table(
        counts,
        {"pairs": lambda pair: pair[0], "now": lambda pair: number(pair[1])},
        numbers=("now",),
    )
    if plan.left_alone:
        console.print(
            f"Left alone: {number(plan.left_alone)} legacy-untracked pairs, whose row is there and"
            " does not count: catalog.impressions.set would say what makes it count."
        )
    if plan.rows == 0:
        others = "other pair" if plan.left_alone else "pair"
        console.print(f"Nothing to heal: no {others} is legacy-untracked.")
        return
    console.print(
        f"Plan: {number(plan.rows)} impressions for {number(plan.users.affected)} users and"
        f" {number(census.legacy_artworks)} artworks, the oldest created"
        f" {_day(census.oldest_legacy_created)};"
        f" the table grows by about {size(plan.growth_bytes)}."
    )
    if most:
        shares = ", ".join(f"{one.user_id} ({number(one.rows)})" for one in most)
        print_text(f"The most for: {shares}.")
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


def _day(seconds: float | None) -> str:
    return "–" if seconds is None else day_name(seconds)
