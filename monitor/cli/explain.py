"""Why the numbers are what they are: `explain` for one pair, `sql` for the statements behind them,
exactly as they would run on this catalogue."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import timedelta
from typing import Annotated

import psycopg
import typer

from checks import custom_sql, moment_steps, row_faults, supply
from checks.affected import affected_users, affected_users_count_sql, totals_are_exact
from checks.census import census_sql, exact_forms
from checks.census import parameters as census_parameters
from checks.citus.forms import on_citus
from checks.errors import CatalogueError
from checks.judgement import MAX_EVIDENCE
from checks.pairs import Explanation, read_pair
from checks.pairs import explain as explain_pair
from checks.recording_rate import queries
from checks.relations import Engine
from checks.spec import Cutoffs
from checks.statements import render
from monitor.cli.output import console, print_result
from monitor.cli.session import AsJson, Session, run_session
from monitor.config import Settings
from monitor.healing.repair_planner import SHOWN
from monitor.healing.repair_statements import MENDS, UNDOES
from monitor.healing.statements import Part
from monitor.run_tools import tools_to_repair
from monitor.runtime import Runtime, build, census_form_sentence
from monitor.state.runs import RunKind

BUILTIN_SQL = (
    row_faults.duplicates_sql,
    row_faults.orphans_sql,
    moment_steps.step_sql,
    row_faults.timestamps_sql,
    supply.pool_sql,
    supply.supply_sql,
)


def explain(
    context: typer.Context,
    user: Annotated[str, typer.Option("--user", help="The user's id.")],
    artwork: Annotated[str, typer.Option("--artwork", help="The artwork's id.")],
    as_json: AsJson = False,
) -> None:
    """Say which state this pair is in and why, with every value compared.

    Example: conservator explain --user 42 --artwork 7
    """

    async def work(session: Session) -> Explanation:
        runtime = await session.runtime()
        pools = session.settings.pools_spec()
        async with session.snapshot(rows=runtime.rows) as connection:
            cutoffs = await session.cutoffs(connection)
            facts = await read_pair(
                connection,
                runtime.catalogue,
                pools,
                cutoffs,
                user_id=user,
                artwork_id=artwork,
            )
        return explain_pair(facts, pools, cutoffs)

    found = run_session(context, work)

    def show() -> None:
        console.print(f"[bold]{found.state.value}[/bold]")
        for reason in found.because:
            console.print(f"  {reason}", markup=False)

    print_result(
        {"user": user, "artwork": artwork, "state": found.state, "because": found.because},
        show,
        as_json=as_json,
    )


def sql(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Only this statement.")] = None,
    for_engine: Annotated[
        Engine | None,
        typer.Option(
            "--engine", help="The forms for this engine; without it, for what the tables are on."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print the statements that read and write your tables, with today's values in them.

    Example values stand where a run would put its own: run 0, position 0, user '?'.

    Example: conservator sql census
    """

    async def work(session: Session) -> dict[str, str]:
        runtime = await session.runtime()
        if for_engine is not None:
            runtime = forced(runtime, for_engine)
        async with session.snapshot() as connection:
            cutoffs = await session.cutoffs(connection)
            raw = await connection.get_raw_connection()
            driver = raw.driver_connection
            assert driver is not None
            cursor = psycopg.AsyncClientCursor(driver)
            values = {**census_parameters(cutoffs), **_examples(cutoffs, session.settings)}
            several = {**statements(runtime), **await repair_statements(runtime)}
            return {key: cursor.mogrify(text, values).strip() for key, text in several.items()}

    found = run_session(context, work)
    if name is not None:
        if name not in found:
            raise typer.BadParameter(
                f"no statement is called {name}; expected one of: {', '.join(found)}"
            )
        found = {name: found[name]}

    def show() -> None:
        for key, text in found.items():
            sys.stdout.write(f"-- {key}\n{text};\n\n")

    print_result(found, show, as_json=as_json)


def forced(runtime: Runtime, engine: Engine) -> Runtime:
    """The same tools with the forms for `engine`, wherever the tables are."""
    catalogue = runtime.catalogue
    if engine is Engine.POSTGRESQL:
        catalogue = replace(catalogue, engine=engine)
    elif catalogue.engine is not engine:
        catalogue = on_citus(catalogue)
    return build(runtime.engine, runtime.settings, runtime.examination, catalogue)


def statements(runtime: Runtime) -> dict[str, str]:
    """Every statement over the app's tables by name, parameters unbound."""
    catalogue, pools = runtime.catalogue, runtime.settings.pools_spec()
    names = runtime.state.fragments
    forms = exact_forms(catalogue)
    chosen = census_form_sentence(catalogue, runtime.settings)
    found = {"census": f"-- chosen: {chosen}\n{census_sql(forms[0], names, catalogue.engine)}"}
    found |= {form.value: census_sql(form, names, catalogue.engine) for form in forms}
    found["affected_users"] = affected_users(catalogue, names).as_string(None)
    found["affected_users_count"] = affected_users_count_sql(catalogue, names)
    if totals_are_exact(catalogue, pools):
        by_total = affected_users_count_sql(catalogue, names, by_total=True)
        found["affected_users_by_total"] = by_total
    for name in ("user_census", "explain_pair"):
        found[name] = render("checks", name, names)
    for key, kind, part, quarantine in (
        ("batch_insert", RunKind.HEAL, Part.USERS, False),
        ("batch_insert_split", RunKind.HEAL, Part.SPLIT, False),
        ("batch_insert_user", RunKind.USER, Part.SPLIT, False),
        ("batch_insert_quarantine", RunKind.HEAL, Part.USERS, True),
    ):
        found[key] = runtime.healing.batch_insert(kind, part, quarantine=quarantine)
    if catalogue.impressions.distribution is None:
        found["batch_read_back"] = runtime.healing.text("batch_read_back")
    for name in ("plan_users", "plan_walk"):
        found[name] = runtime.healing.plan_by_hand(name)
    found["plan_pairs"] = runtime.healing.plan_pairs(RunKind.HEAL, Part.USERS, quarantine=False)
    found |= check_statements(runtime)
    found["verify_plan"] = runtime.healing.text("verify_plan")
    if catalogue.engine is Engine.CITUS:
        found["undo_users"] = runtime.healing.over_ledger("undo_users", begun=True)
    found["undo_batch"] = runtime.healing.over_ledger("undo_batch", begun=True)
    found["undo_survey"] = runtime.healing.text("undo_survey")
    return found


async def repair_statements(runtime: Runtime) -> dict[str, str]:
    """What each repair that is right asks and writes, by its name; parameters unbound. A plan says
    whether batches ask `find` again, or go by the versions that are frozen with the keys."""
    found: dict[str, str] = {}
    for one in runtime.settings.repairs:
        try:
            repair = (await tools_to_repair(runtime, one)).repair
        except CatalogueError:
            continue  # `doctor` says why
        assert repair is not None
        mends, undoes = MENDS[one.action.value], UNDOES[one.action.value]
        found[f"{one.name}.plan"] = repair.text("repair_preview")
        found[f"{one.name}.{one.action.value}"] = repair.text(mends)
        found[f"{one.name}.{one.action.value}_frozen"] = repair.frozen().text(mends)
        found[f"{one.name}.verify"] = repair.text("repair_left")
        found[f"{one.name}.undo"] = repair.text(undoes)
    return found


def check_statements(runtime: Runtime) -> dict[str, str]:
    """What the checks around the census ask; an own query under the name of its check."""
    catalogue, settings = runtime.catalogue, runtime.settings
    pools = settings.pools_spec()
    found: dict[str, str] = {}
    for write in BUILTIN_SQL:
        found |= write(catalogue, pools)
    found |= queries.statements(catalogue, pools, runtime.state.state_schema)
    found |= {one.name: custom_sql.statement(one.query) for one in settings.checks.sql}
    return found


def _examples(cutoffs: Cutoffs, settings: Settings) -> dict[str, object]:
    interval = settings.checks.recording_rate.every or timedelta(minutes=5)
    return {
        **row_faults.fault_parameters(cutoffs),
        **supply.pool_parameters(cutoffs, settings.checks.pool_exhaustion.minimum),
        "evidence": MAX_EVIDENCE,
        "rows": 2,
        "none": "(null)",
        "start": cutoffs.now - interval,
        "end": cutoffs.now,
        "seconds": interval.total_seconds(),
        "now": cutoffs.now,
        "run_id": 0,
        "undoes": 0,
        "user_cursor": None,
        "position": 0,
        "until": 0,
        "limit": None,
        "due_until": cutoffs.now,
        "artwork_cursor": None,
        "user_id": "?",
        "users": ["?"],
        "young": ["?"],
        "artworks": ["?"],
        "planned": [0],
        "listed": [True],
        "most": 0,
        "max_rows": settings.healing.max_rows_per_run,
        "artwork_id": "?",
        "repair": "?",
        "shown": SHOWN,
        "last": 0,
    }
