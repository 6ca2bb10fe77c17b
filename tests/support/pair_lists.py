"""The pairs that a run would write, as `heal --dry-run --csv` lists them."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.pairs import take_user_census
from checks.spec import Cutoffs
from monitor.database import database_now, snapshot
from monitor.healing.pair_list import PlannedPair, list_pairs, list_pairs_of_user, most_affected
from monitor.healing.quarantine import count_unwritable_of_user
from monitor.runtime import Runtime
from tests.support.healing import UNLIMITED


@asynccontextmanager
async def asked(runtime: Runtime) -> AsyncIterator[tuple[AsyncConnection, Cutoffs]]:
    async with snapshot(runtime.engine, timeout=runtime.settings.lease) as connection:
        pools = runtime.settings.pools_spec()
        yield connection, Cutoffs.at(await database_now(connection), pools)


async def listed(runtime: Runtime, *, max_rows: int = UNLIMITED) -> list[PlannedPair]:
    """As `heal --dry-run --csv` lists them; the users with the most agree with it."""
    async with asked(runtime) as (connection, cutoffs):
        slices = list_pairs(connection, runtime.healing, cutoffs, max_rows=max_rows)
        pairs = [pair async for part in slices for pair in part]
        most = await most_affected(connection, runtime.healing, cutoffs, max_rows=max_rows)
    # The first of equals is the one that is written first, and a sort leaves it there.
    expected = Counter(pair.user_id for pair in pairs).most_common(5)
    assert [(one.user_id, one.rows) for one in most] == expected
    return pairs


async def listed_of(runtime: Runtime, user: str) -> list[PlannedPair]:
    """The same with `--user`."""
    async with asked(runtime) as (connection, cutoffs):
        pools = runtime.settings.pools_spec()
        census = await take_user_census(connection, runtime.catalogue, pools, cutoffs, user)
        aside = await count_unwritable_of_user(
            connection, runtime.healing, cutoffs, user, due_until=cutoffs.now
        )
        slices = list_pairs_of_user(
            connection,
            runtime.healing,
            cutoffs,
            user,
            rows=census.legacy_untracked - aside,
            quarantine=True,
        )
        return [pair async for part in slices for pair in part]
