"""What the planner knows of our own tables is of some moment: mostly of before the run whose rows
are there. No statement counts everything once for each of these rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from checks.census import parameters
from checks.spec import Cutoffs
from checks.supply import exhausted_sql, pool_parameters
from monitor.database import database_now, snapshot
from monitor.loop.tallies import take_tally
from monitor.runtime import Runtime
from tests.support.healing import UNLIMITED, plan, planted
from tests.support.stale_statistics import OURS_ARE_EMPTY

pytestmark = pytest.mark.prepared

HALF_IS_SEEN = """
INSERT INTO user_art_impressions (user_id, artwork_id)
SELECT u.id, a.id FROM users AS u CROSS JOIN art_sessions AS a WHERE hashtext(a.id) % 2 = 0
ON CONFLICT DO NOTHING
"""
ASIDE = """
INSERT INTO conservator.quarantine
    (user_id, artwork_id, run_id, error, first_at, last_at, retry_at)
SELECT u.id, 'old0001', 1, 'no', now(), now(), now() + interval '1 day' FROM users AS u
"""
USERS, ARTWORKS = 3000, 40
"""With fewer, the planner has a reason to prefer another plan."""
COUNTING = ("verify_plan", "plan_recurring", "plan_walk", "plan_exhausted")


async def test_everything_is_counted_once_whatever_is_known_of_our_own_tables(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=USERS, artworks=ARTWORKS) as (app, runtime):
        await app.run(HALF_IS_SEEN)
        await take_tally(runtime)
        run = await plan(runtime)
        await app.run(ASIDE)
        await app.run("ANALYZE users, art_sessions, user_art_impressions")
        await app.run(OURS_ARE_EMPTY)
        loops = {name: await _loops_over_all(runtime, name, run.id) for name in COUNTING}
    assert all(loops.values())
    # Of one scan, each process is a loop.
    assert {name: found for name, found in loops.items() if max(found) > 3} == {}


async def _loops_over_all(runtime: Runtime, name: str, run_id: int) -> list[float]:
    """Of each scan of more impressions than those of a pair or a user, how often it is done."""
    async with snapshot(runtime.engine, timeout=runtime.settings.lease) as connection:
        now, pools = await database_now(connection), runtime.settings.pools_spec()
        cutoffs = Cutoffs.at(now, pools)
        explained = await connection.exec_driver_sql(
            f"EXPLAIN (ANALYZE, TIMING FALSE, FORMAT JSON) {_text(runtime, name)}",
            {
                **parameters(cutoffs),
                **pool_parameters(cutoffs, 20),
                **{"run_id": run_id, "due_until": now, "verified_at": now, "max_rows": UNLIMITED},
            },
        )
        ((root,),) = explained.scalars()
    return [
        node["Actual Loops"]
        for node in _nodes(root["Plan"])
        if node.get("Relation Name") == "user_art_impressions"
        and node["Actual Rows"] + node.get("Rows Removed by Filter", 0) > USERS
    ]


def _text(runtime: Runtime, name: str) -> str:
    if name == "plan_exhausted":
        return exhausted_sql(runtime.catalogue, runtime.settings.pools_spec())
    return runtime.healing.text(name)


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)
