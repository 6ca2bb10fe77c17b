"""The pairs that are listed before a run are the pairs that the run then writes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.healing import pair_list
from monitor.runtime import Runtime
from monitor.state.runs import Run, RunState, Trigger
from tests.support.app import App, app_on
from tests.support.databases import APP, cloned
from tests.support.generated import examples
from tests.support.healing import UNLIMITED, make_runtime, working
from tests.support.pair_lists import listed, listed_of
from tests.support.postgres import PostgresServer

USERS, ARTWORKS = 7, 9
_EMPTY = """
TRUNCATE users, art_sessions, user_art_impressions CASCADE;
TRUNCATE conservator.backfilled_impression, conservator.quarantine, conservator.run CASCADE;
"""
_PEOPLE = """
INSERT INTO users (id, created_at)
SELECT 'u' || n, timezone('UTC', now()) - interval '100 days'
FROM generate_series(1, %(users)s) AS n
"""
_PIECES = """
INSERT INTO art_sessions (id, session_id, image_url, created_at)
SELECT (CASE n %% 2 WHEN 0 THEN 'A' ELSE 'a' END) || n, 's', '/',
    timezone('UTC', now()) - n * interval '3 days'
FROM generate_series(0, %(artworks)s - 1) AS n
"""
_VIEW = """
INSERT INTO user_art_impressions (user_id, artwork_id)
SELECT u.id, a.id
FROM unnest(%(users)s::int[], %(artworks)s::int[]) AS v (u, a)
JOIN users AS u ON u.id = 'u' || v.u
JOIN art_sessions AS a ON substr(a.id, 2) = v.a::text
"""
_PUT_ASIDE = """
INSERT INTO conservator.quarantine
    (user_id, artwork_id, run_id, error, first_at, last_at, retry_at)
SELECT u.id, a.id, 0, 'a test', now(), now(), now() + v.days * interval '1 day'
FROM unnest(%(users)s::int[], %(artworks)s::int[], %(days)s::int[]) AS v (u, a, days)
JOIN users AS u ON u.id = 'u' || v.u
JOIN art_sessions AS a ON substr(a.id, 2) = v.a::text
"""

PAIRS = st.tuples(st.integers(1, USERS), st.integers(0, ARTWORKS - 1))


@dataclass(frozen=True)
class Scene:
    """A database and the tools for it."""

    app: App
    runtime: Runtime


@pytest.fixture(params=[False, True], ids=["postgresql", "forms for citus"])
async def scene(request: pytest.FixtureRequest, server: PostgresServer) -> AsyncIterator[Scene]:
    with cloned(server, APP) as url:
        async with app_on(url) as app, make_runtime(url, citus=request.param) as runtime:
            yield Scene(app, runtime)


async def fill(app: App, draw: st.DataObject) -> None:
    """Users, artworks old and young, some of them seen, some pairs in quarantine."""
    await app.run(_EMPTY)
    await app.run(_PEOPLE, users=USERS)
    await app.run(_PIECES, artworks=ARTWORKS)
    seen = sorted(draw.draw(st.sets(PAIRS, max_size=40), "seen"))
    await app.run(_VIEW, users=[u for u, _ in seen], artworks=[a for _, a in seen])
    aside = sorted(draw.draw(st.dictionaries(PAIRS, st.sampled_from((-1, 1)), max_size=20)).items())
    await app.run(
        _PUT_ASIDE,
        users=[u for (u, _), _ in aside],
        artworks=[a for (_, a), _ in aside],
        days=[days for _, days in aside],
    )


async def written(app: App, run: Run | None) -> list[tuple[str, str]]:
    """What the run's ledger lists, in the order of its ids."""
    return await app.rows(
        "SELECT user_id, artwork_id FROM conservator.backfilled_impression"
        " WHERE run_id = %(run)s ORDER BY user_id, artwork_id",
        run=None if run is None else run.id,
    )


async def healed(runtime: Runtime, *, max_rows: int) -> Run | None:
    """The run that a person starts now, worked to its end."""
    planned = await runtime.planner.plan_audience(
        runtime.run_owner(Trigger.COMMAND),
        reason="a test",
        max_rows=max_rows,
        guard=lambda _census, _control: None,
    )
    if planned.run is None:
        return None
    ended = await working(runtime, planned.run)
    assert ended.run.state is not RunState.FAILED, ended.run.outcome
    return ended.run


@examples(10)
@given(
    data=st.data(),
    max_rows=st.sampled_from((1, 2, 5, 13, 30, UNLIMITED)),
    slice_size=st.sampled_from((1, 3, 8, 10_000)),
)
async def test_what_is_listed_is_what_a_run_of_the_same_moment_writes(
    scene: Scene, data: st.DataObject, max_rows: int, slice_size: int
) -> None:
    await fill(scene.app, data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pair_list, "SLICE", slice_size)
        patch.setattr(pair_list, "MAX_USERS", min(slice_size, 200))
        found = await listed(scene.runtime, max_rows=max_rows)
    created = dict(
        await scene.app.rows("SELECT id, extract(epoch FROM created_at)::float8 FROM art_sessions")
    )
    assert all(pair.created == created[pair.artwork_id] for pair in found)
    run = await healed(scene.runtime, max_rows=max_rows)
    # In the order of writing: user by user. Ids of both cases sort as the database sorts them.
    assert [(p.user_id, p.artwork_id) for p in found] == await written(scene.app, run)
    assert run is None or run.inserted == len(found) > 0


@examples(6)
@given(data=st.data(), user=st.integers(1, USERS), slice_size=st.sampled_from((1, 3, 10_000)))
async def test_what_is_listed_for_one_user_is_what_that_users_run_writes(
    scene: Scene, data: st.DataObject, user: int, slice_size: int
) -> None:
    await fill(scene.app, data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pair_list, "SLICE", slice_size)
        found = await listed_of(scene.runtime, f"u{user}")
    run = await scene.runtime.planner.plan_user(
        scene.runtime.run_owner(Trigger.COMMAND), f"u{user}", reason="a test", force=True
    )
    if not isinstance(run, Run):
        assert found == []
        return
    await working(scene.runtime, run)
    assert [(p.user_id, p.artwork_id) for p in found] == await written(scene.app, run)
    assert {pair.user_id for pair in found} == {f"u{user}"}
