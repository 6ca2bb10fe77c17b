"""`explain`: which state a pair is in, and why."""

from __future__ import annotations

from typing import Annotated

import typer

from checks.doctor.findings import Blocks
from checks.pairs import Explanation, read_pair
from checks.pairs import explain as explain_pair
from monitor.cli.output import console, print_json
from monitor.cli.session import AsJson, Session, run_session


def explain(
    context: typer.Context,
    user: Annotated[str, typer.Option("--user", help="The user's id.")],
    artwork: Annotated[str, typer.Option("--artwork", help="The artwork's id.")],
    as_json: AsJson = False,
) -> None:
    """Say which state this pair is in and why, with every value compared."""

    async def work(session: Session) -> Explanation:
        runtime = await session.runtime(Blocks.COUNTING)
        pools = session.settings.pools_spec()
        async with session.snapshot() as connection:
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
    if as_json:
        fields = {"state": found.state, "because": found.because}
        print_json({"user": user, "artwork": artwork, **fields})
        return
    console.print(f"[bold]{found.state.value}[/bold]")
    for reason in found.because:
        console.print(f"  {reason}", markup=False)
