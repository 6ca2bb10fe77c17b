"""Taking back: plans and whole undos, and what the books must say afterwards."""

from __future__ import annotations

import pytest

from monitor.database import snapshot, transaction
from monitor.healing.executor import RunResult
from monitor.healing.preview import UndoPreview, preview_undo
from monitor.runtime import Runtime
from monitor.state import control
from monitor.state.runs import Run, Trigger
from tests.support.app import App

UPSERT = """
INSERT INTO user_art_impressions (user_id, artwork_id, viewed_at)
VALUES (%(user)s, %(artwork)s, timezone('UTC', clock_timestamp()))
ON CONFLICT (user_id, artwork_id) DO UPDATE SET viewed_at = excluded.viewed_at
"""
"""How an app views again."""
MATCHING = """
SELECT count(*) FROM conservator.backfilled_impression AS b
JOIN user_art_impressions AS i USING (user_id, artwork_id, viewed_at)
"""


BOOKS = (
    *("user_art_impressions", "conservator.backfilled_impression", "conservator.run"),
    *("conservator.control", "conservator.backfilled_user"),
)
"""What a refusal leaves as it is."""


async def plan_undo(runtime: Runtime, run_id: int) -> Run:
    """An undo of that run, held by this process."""
    planned = await runtime.undo_planner.plan(
        runtime.run_owner(Trigger.COMMAND), run_id, reason="a test"
    )
    assert planned is not None
    return planned.run


async def undo(runtime: Runtime, run_id: int) -> RunResult:
    """A whole undo."""
    return await runtime.executor(lambda _: None).work(await plan_undo(runtime, run_id))


async def previewed(runtime: Runtime, run_id: int) -> UndoPreview:
    """What an undo of that run would find."""
    async with snapshot(runtime.engine, timeout=runtime.settings.lease) as connection:
        return await preview_undo(connection, runtime.healing, run_id)


async def assert_undo_is_booked(app: App, undo_id: int) -> None:
    """The run, its batches and the total tell the same number of rows taken back."""
    ((inserted, batches, batched, counted),) = await app.rows(
        "SELECT r.inserted, r.batches, sum(b.inserted), count(b) FROM conservator.run AS r"
        " JOIN conservator.batch AS b ON b.run_id = r.id WHERE r.id = %(id)s GROUP BY r.id",
        id=undo_id,
    )
    assert (batched, counted) == (inserted, batches)
    total = await app.value(
        "SELECT coalesce(sum(value), 0) FROM conservator.counter"
        " WHERE name = 'heal_undone_impressions'"
    )
    assert total == await app.value("SELECT sum(inserted) FROM conservator.run WHERE kind = 'undo'")


async def heal_what_is_missing(runtime: Runtime) -> None:
    """Another run over the audience, where there is anything to heal."""
    planned = await runtime.planner.plan_audience(
        runtime.run_owner(trigger=Trigger.COMMAND),
        reason="a test",
        max_rows=10**6,
        guard=lambda _census, _control: None,
    )
    if planned.run is not None:
        await runtime.executor(lambda _: None).work(planned.run)


async def listed(app: App) -> list[tuple[int, str, str, str]]:
    """The ledger: run, user, artwork, moment."""
    rows = await app.rows(
        "SELECT run_id, user_id, artwork_id, viewed_at::text"
        " FROM conservator.backfilled_impression ORDER BY 1, 2, 3"
    )
    return [(row[0], row[1], row[2], row[3]) for row in rows]


async def switches(runtime: Runtime) -> control.Control:
    """The control row."""
    async with transaction(runtime.engine, timeout=runtime.settings.lease) as connection:
        return await control.read_control(connection, runtime.state)


async def refused(app: App, runtime: Runtime, run_id: int, kind: type[Exception]) -> str:
    """The sentence; nothing has changed."""
    before = await app.fingerprint(*BOOKS)
    with pytest.raises(kind) as error:
        await plan_undo(runtime, run_id)
    assert await app.fingerprint(*BOOKS) == before
    return str(error.value)
