"""`explain`: which state a pair is in, and why."""

from __future__ import annotations

from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.doctor.findings import Blocks
from checks.pairs import Explanation, read_pair
from checks.pairs import explain as explain_pair
from checks.spec import Cutoffs
from monitor.cli.output import console, print_json
from monitor.cli.session import runtime_for, with_engine
from monitor.config import Settings
from monitor.database import database_now, snapshot


def explain(
    context: typer.Context,
    user: Annotated[str, typer.Option("--user", help="The user's id.")],
    artwork: Annotated[str, typer.Option("--artwork", help="The artwork's id.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say which state this pair is in and why, with every value compared."""

    async def work(engine: AsyncEngine, settings: Settings) -> Explanation:
        runtime = await runtime_for(engine, settings, Blocks.COUNTING)
        pools = settings.pools_spec()
        async with snapshot(engine, timeout=settings.database.statement_timeout) as connection:
            cutoffs = Cutoffs.at(await database_now(connection), pools)
            facts = await read_pair(
                connection,
                runtime.catalogue,
                pools,
                cutoffs,
                user_id=user,
                artwork_id=artwork,
            )
        return explain_pair(facts, pools, cutoffs)

    explanation = with_engine(context, work)
    if as_json:
        print_json({"user": user, "artwork": artwork, **_fields(explanation)})
        return
    console.print(f"[bold]{explanation.state.value}[/bold]")
    for reason in explanation.because:
        console.print(f"  {reason}", markup=False)


def _fields(explanation: Explanation) -> dict[str, object]:
    return {"state": explanation.state, "because": explanation.because}
