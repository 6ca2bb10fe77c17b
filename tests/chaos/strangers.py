"""Galleries of other shapes for the same faults: rows that `set` brings to count, several rows a
pair without a unique index, pairs that a view lists. All of it is held against the gallery's oracle
and a copy of its impressions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import make_url

from tests.chaos.audit import DIFFERENT, KEEP, Findings, unfinished
from tests.support.acceptance_cases import ACCEPTANCE_CASES, AcceptanceCase
from tests.support.app import App, app_on
from tests.support.healing import heal, make_runtime
from tests.support.postgres import PostgresServer
from tests.support.stranger_galleries import COUNTS, FOLDER, FRESH_FOR, POOLS, stranger_gallery

_CHOSEN = ("anonymous-1", "polymorphic-1", "status_rows-1")
STRANGERS = tuple(case for case in ACCEPTANCE_CASES if case.name in _CHOSEN)
_HEALING = {
    "pace": {"max_batch": 1000, "batch_target": "1500ms"},
    "breaker": {"max_share": "100%", "max_tracked_drop": "100%"},
}
_LEDGER = """
SELECT count(*), count(DISTINCT (user_id, artwork_id)), count(*) FILTER (WHERE replaced IS NOT NULL)
FROM conservator.backfilled_impression
"""
_BATCHES = """
SELECT coalesce(sum(b.inserted), 0)::bigint, count(b) FROM conservator.batch AS b
JOIN conservator.run AS r ON r.id = b.run_id WHERE r.kind = %(kind)s
"""


def configuration(case: AcceptanceCase) -> dict[str, Any]:
    """What the command is told of the tables."""
    return {"catalog": case.catalog, "pools": POOLS, "healing": _HEALING}


@asynccontextmanager
async def prepared(
    server: PostgresServer, case: AcceptanceCase, *, healed: bool
) -> AsyncIterator[str]:
    """The name of a database to clone: the gallery, our schema, a copy of the impressions; where it
    is to be undone, run 1 has healed it."""
    clone = stranger_gallery(server, case.gallery)
    gallery = await asyncio.to_thread(clone.__enter__)
    try:
        async with app_on(gallery.url) as app:
            await app.run(KEEP.format(case.written_table))
            async with make_runtime(gallery.url, **configuration(case)) as runtime:
                if healed:
                    await heal(runtime)
        yield str(make_url(gallery.url).database)
    finally:
        await asyncio.to_thread(clone.__exit__, None, None, None)


async def healed(case: AcceptanceCase, app: App) -> Findings:
    """After a heal run: nothing is legacy any more, and each pair that was has one row of ours."""
    wrong = await unfinished(app)
    gone, come, listed, pairs, brought = await _books(case, app)
    [(inserted, batches)] = await app.rows(_BATCHES, kind="heal")
    lost = await _legacy(case, app)
    if gone != case.brought or brought != case.brought:
        wrong.append(f"{gone} rows changed, {brought} listed as brought, expected {case.brought}")
    if not come == listed == inserted:
        wrong.append(f"{come} rows written, {listed} in the ledger, {inserted} in the batches")
    return Findings(come + listed, batches, lost, listed - pairs, tuple(wrong))


async def undone(case: AcceptanceCase, app: App) -> Findings:
    """After the undo: every row is as it was before the run."""
    wrong = await unfinished(app)
    gone, come, listed, _, _ = await _books(case, app)
    [(taken, batches)] = await app.rows(_BATCHES, kind="undo")
    [(inserted, _)] = await app.rows(_BATCHES, kind="heal")
    if taken != inserted or listed:
        wrong.append(f"{taken} of {inserted} rows taken back, {listed} left in the ledger")
    return Findings(taken, batches, gone, come, tuple(wrong))


async def _books(case: AcceptanceCase, app: App) -> tuple[int, int, int, int, int]:
    [(gone, come)] = await app.rows(DIFFERENT.format(table=case.written_table))
    [(listed, pairs, brought)] = await app.rows(_LEDGER)
    return gone, come, listed, pairs, brought


async def _legacy(case: AcceptanceCase, app: App) -> int:
    pairs = (FOLDER / f"{case.gallery}.pairs.sql").read_text()
    [(_, _, _, legacy)] = await app.rows(COUNTS.format(fresh_for=FRESH_FOR, pairs=pairs))
    return int(legacy)
