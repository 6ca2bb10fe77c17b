"""Rows of any shape are healed and taken back while the app marks, unmarks, deletes and inserts the
same pairs, and while the process dies: by an audit of every change, each batch wrote what its books
say, and undo reversed exactly what nobody had touched."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.healing.executor import Progress
from monitor.runtime import Runtime
from monitor.state.runs import Run, RunState, Trigger
from tests.support.any_shape import shape_runtime
from tests.support.app import App, app_on, conninfo
from tests.support.generated import examples
from tests.support.healing import claimed, plan
from tests.support.shape_traffic import (
    SCHEMA,
    SHAPES,
    Change,
    Shape,
    assert_brought_to_count,
    assert_taken_back,
    changes,
    fill,
    write,
)

PEOPLE, WORKS = 4, 12
_ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(["work", "work", "film"]),
            "person": st.integers(1, PEOPLE),
            "work": st.integers(2, WORKS),
            "seen": st.booleans(),
            "note": st.sampled_from([None, "a"]),
        }
    ),
    max_size=20,
)


@pytest.fixture(params=SHAPES, ids=lambda shape: shape.name)
def shape(request: pytest.FixtureRequest, database_url: str) -> Iterator[Shape]:
    made: Shape = request.param
    with psycopg.connect(conninfo(database_url), autocommit=True) as connection:
        connection.execute(SCHEMA.encode())
        connection.execute((made.index or "SELECT").encode())
        yield made


@asynccontextmanager
async def crowd(url: str, size: int, seed: int) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        for number in range(size):
            group.create_task(write(url, PEOPLE, WORKS, seed + number, acts=12))
        yield


async def work(runtime: Runtime, run: Run, *, dies_after: int | None) -> Run:
    """Work a run to its end; dead after so many batches, it is claimed and goes on."""
    if dies_after is not None:

        def count(progress: Progress) -> None:
            if progress.batch is not None and progress.batch.number >= dies_after:
                task.cancel()

        task = asyncio.create_task(runtime.executor(count).work(run))
        await asyncio.wait([task])
        if not task.cancelled():
            return task.result().run
        run = await claimed(runtime, run.id)
    return (await runtime.executor(lambda _: None).work(run)).run


async def undo_all(runtime: Runtime, run: Run, dies_after: int | None) -> int:
    """Rows taken back."""
    owner = runtime.run_owner(Trigger.COMMAND)
    planned = await runtime.undo_planner.plan(owner, run.id, reason="a test")
    if planned is None:
        return 0
    ended = await work(runtime, planned.run, dies_after=dies_after)
    assert ended.state is RunState.SUCCEEDED, ended.outcome
    return ended.inserted


async def assert_booked(app: App, run: Run, written: list[Change]) -> None:
    ((batched,),) = await app.rows(
        "SELECT coalesce(sum(inserted), 0) FROM conservator.batch WHERE run_id = %(id)s", id=run.id
    )
    assert batched == run.inserted == len(written)
    listed = await app.rows(
        "SELECT user_id, artwork_id, written FROM conservator.backfilled_impression"
    )
    newest = {(w.after["person"], w.after["work"]): w.after for w in written if w.after}
    assert {(user, artwork): row for user, artwork, row in listed} == newest


@examples(3)
@given(
    rows=_ROWS,
    seed=st.integers(0, 10**6),
    writers=st.sampled_from([0, 1, 3]),
    max_batch=st.sampled_from([1, 3, 7, 100]),
    dies_after=st.sampled_from([None, 1, 2]),
)
@pytest.mark.long
async def test_what_is_written_is_booked_and_what_is_untouched_is_reversed(
    database_url: str,
    shape: Shape,
    rows: list[dict[str, object]],
    seed: int,
    writers: int,
    max_batch: int,
    dies_after: int | None,
) -> None:
    pace = {"pace": {"max_batch": max_batch}}
    async with (
        app_on(database_url) as app,
        shape_runtime(database_url, catalog=shape.catalog, healing=pace, lease="1s") as runtime,
    ):
        await fill(app, PEOPLE, WORKS, rows)
        run = await plan(runtime)
        async with crowd(database_url, writers, seed):
            run = await work(runtime, run, dies_after=dies_after)
        assert run.state is not RunState.FAILED, run.outcome
        written = [one for one in await changes(app) if one.ours]
        for one in written:
            assert_brought_to_count(one, shape)
        await assert_booked(app, run, written)
        async with crowd(database_url, writers, seed):
            taken = await undo_all(runtime, run, dies_after)
        taken += await undo_all(runtime, run, None)
        await _assert_reversed(app, written, taken)


async def _assert_reversed(app: App, written: list[Change], taken: int) -> None:
    histories: dict[int, list[Change]] = defaultdict(list)
    for one in await changes(app):
        histories[one.row_id].append(one)
    last_written = written[-1].n if written else 0
    undone = 0
    for history in histories.values():
        for at, one in enumerate(history):
            if one.ours and one.n > last_written:
                assert_taken_back(history, at)
                undone += 1
        # What we did last, and nobody touched since, is reversed.
        assert not (history[-1].ours and history[-1].n <= last_written), history
    assert undone == taken
