"""The census against `count(*)` of the impressions, in alternation: `python -m bench.census`.

On the healed gallery, and on the legacy one, where the affected users are counted at times. Beside
it the plain anti-join, by itself and through the tools of `rivals`.
"""

from __future__ import annotations

import asyncio

from bench.alone import alone
from bench.counting import Contender, Counting, counting
from bench.gallery import HEALED, LEGACY
from bench.measures import Goal, Measure, compared, times_faster
from bench.options import Options
from bench.progress import note
from bench.report import Fact, Report
from bench.rivals import rivals
from checks.census import choose_form
from tests.support.postgres import PostgresServer

COUNTS_GOAL = Goal(1.3)
"""The four counts may cost so many times what reading every impression once costs."""
LEGACY_GOAL = Goal(1.75)
"""The same where artworks have to be told apart."""
USERS_GOAL = Goal(2.2)
"""The same with the number of affected users, of whom there are none."""
ANTI_JOIN_GOAL = Goal(40, at_most=False)
"""So many times faster than the plain anti-join, at 8 million impressions."""
AFFECTED_GOAL = Goal(3)
"""The affected users by themselves, where everything is incomplete."""
_MOST_ROUNDS = 5
"""Where anything is legacy, each takes seconds."""
_ROUNDS_OF_FORMS = 2
"""Of the single statements, most of which are in use on other catalogues only."""


def measure(server: PostgresServer, options: Options) -> Report:
    """Both galleries must be there already."""
    return asyncio.run(_measure(server, options))


async def _measure(server: PostgresServer, options: Options) -> Report:
    async with counting(server, HEALED) as one:
        steady = await _steady(server, one, options)
    async with counting(server, LEGACY) as one:
        legacy, facts = await _with_legacy(one, options)
    return Report("census", (*steady, *legacy), facts)


async def _steady(server: PostgresServer, one: Counting, options: Options) -> tuple[Measure, ...]:
    """Nothing is legacy: the census is one statement, and no user is affected."""
    note("census, nothing legacy")
    samples = await one.alternate(
        {"floor": one.floor, "census": one.census, "users": one.census_and_users}, options.rounds
    )
    floor = Measure("count(*), nothing legacy", "s", tuple(samples["floor"]))
    census = compared("the four counts, nothing legacy", "s", samples["census"], floor, COUNTS_GOAL)
    users = compared(
        "the four counts with affected users, nothing legacy",
        "s",
        samples["users"],
        floor,
        USERS_GOAL,
    )
    measures = [floor, census, users]
    if options.anti_joins:
        note("the plain anti-join, by itself and through other tools")
        slow = [await one.once(one.anti_join) for _ in range(options.anti_joins)]
        measures.append(
            times_faster("plain anti-join, nothing legacy", slow, census, ANTI_JOIN_GOAL)
        )
        _, cutoffs = await one.now()
        for name, seconds in rivals(server, HEALED, cutoffs):
            measures.append(times_faster(name, seconds, census, ANTI_JOIN_GOAL))
    return tuple(measures)


async def _with_legacy(
    one: Counting, options: Options
) -> tuple[tuple[Measure, ...], dict[str, Fact]]:
    """A share is legacy, as the last census has found."""
    note("census, with legacy")
    contenders: dict[str, Contender] = {
        "the four counts": one.census,
        "affected users": one.affected_users,
        "the four counts with affected users": one.census_and_users,
    }
    rounds = min(options.rounds, _MOST_ROUNDS)
    samples = await one.alternate({"floor": one.floor, **contenders}, rounds)
    forms = one.forms()
    samples |= await one.alternate(forms, min(rounds, _ROUNDS_OF_FORMS), warm_up=False)
    goals = {"the four counts": LEGACY_GOAL, "affected users": AFFECTED_GOAL}
    floor = Measure("count(*), with legacy", "s", tuple(samples["floor"]))
    measures = [
        compared(f"{name}, with legacy", "s", samples[name], floor, goals.get(name))
        for name in (*contenders, *forms)
    ]
    if options.anti_joins:
        slow = [await one.once(one.anti_join) for _ in range(options.anti_joins)]
        name = "plain anti-join, with legacy"
        measures.append(times_faster(name, slow, measures[0]))
    census, _ = await one.now()
    facts: dict[str, Fact] = {
        "form": choose_form(one.catalogue)[0].value,
        "rounds": options.rounds,
        "pairs": census.pairs,
        "tracked": census.tracked,
        "legacy_untracked": census.legacy_untracked,
    }
    return (floor, *measures), facts


if __name__ == "__main__":
    alone(__doc__, measure, HEALED, LEGACY)
