"""The census where not everybody may be shown everything: `python -m bench.pairs`.

`pairs.same` against the census of the same tables without it, that joins the impressions with the
users as well; `pairs.through` against one hash anti-join of the list and the impressions; each in
alternation, on the healed gallery. Without pairs the census reads the small index of one column: no
count of pairs that agree can, because it needs both ends of every impression.
"""

from __future__ import annotations

import asyncio

import psycopg

from bench.alone import alone
from bench.counting import counting
from bench.gallery import HEALED
from bench.measures import Goal, Measure, compared
from bench.options import Options
from bench.progress import note
from bench.report import Report
from bench.servers import statement
from checks.census import choose_form
from tests.support.postgres import PostgresServer

SAME_GOAL = Goal(1.6)
"""So many times the census of the same tables without `pairs.same`, joined with the users."""
THROUGH_GOAL = Goal(1.5)
"""So many times one anti-join of the list and the impressions."""
_SAME = "catalog: {pairs: {same: [team]}}"
_THROUGH = "catalog: {pairs: {through: {table: visible}}}"
_MOST_ROUNDS = 3
"""An anti-join of all pairs takes seconds."""


def measure(server: PostgresServer, options: Options) -> Report:
    """The healed gallery must be there already; it gets teams, and a list of all pairs."""
    note("pairs: teams, and a list")
    with psycopg.connect(server.conninfo(HEALED), autocommit=True) as connection:
        for name in ("teams", "visible"):
            for part in statement(name).as_string(None).split(";\n"):
                connection.execute(part.encode())
    return asyncio.run(_measure(server, min(options.rounds, _MOST_ROUNDS)))


async def _measure(server: PostgresServer, rounds: int) -> Report:
    async with (
        counting(server, HEALED) as everything,
        counting(server, HEALED, _SAME) as same,
        counting(server, HEALED, _THROUGH) as through,
    ):
        note("pairs.same")
        alike = {
            "without": everything.census,
            "same": same.census,
            "joined": everything.forms()["census_by_artwork_joined alone"],
        }
        samples = await everything.alternate(alike, rounds)
        note("pairs.through")
        floor = everything.statement(
            statement("listed_anti_join").as_string(None), "SET LOCAL enable_mergejoin = off"
        )
        listed = {"floor": floor, "through": through.census}
        samples |= await everything.alternate(listed, rounds)
        forms = {
            name: choose_form(one.catalogue)[0].value
            for name, one in (("without", everything), ("same", same), ("through", through))
        }
    without = Measure("the census without pairs", "s", tuple(samples["without"]))
    joined = compared("the same, joined with the users", "s", samples["joined"], without)
    anti_join = Measure("hash anti-join of list and impressions", "s", tuple(samples["floor"]))
    return Report(
        "pairs",
        (
            without,
            joined,
            compared("the census with pairs.same", "s", samples["same"], joined, SAME_GOAL),
            anti_join,
            compared(
                "the census with pairs.through", "s", samples["through"], anti_join, THROUGH_GOAL
            ),
        ),
        {f"form {name}": form for name, form in forms.items()},
    )


if __name__ == "__main__":
    alone(__doc__, measure, HEALED)
