"""Tallies tell a loss from everything that is none, whatever happens to the gallery."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks import census as counting
from monitor.loop.tallies import take_tally
from monitor.policy.inputs import Loss, Side, loss_between
from monitor.runtime import Runtime
from tests.support.app import App, app_on
from tests.support.databases import APP, cloned
from tests.support.generated import examples
from tests.support.healing import make_runtime
from tests.support.postgres import PostgresServer
from tests.support.tally_histories import (
    LEAVING,
    Act,
    History,
    Life,
    Moment,
    histories,
    really_lost,
    side,
)

FILTERS = {"artworks": {"where": "NOT is_library -- 100%"}, "users": {"where": "is_active"}}
_WITHOUT_KEYS = """
ALTER TABLE user_art_impressions
    DROP CONSTRAINT user_art_impressions_user_id_fkey,
    DROP CONSTRAINT user_art_impressions_artwork_id_fkey
"""


class Scene:
    """A database, the tools for it, and whether the catalogue proves what belongs together."""

    def __init__(self, app: App, runtime: Runtime, *, proved: bool) -> None:
        self.app = app
        self.runtime = runtime
        self.proved = proved


PROVED, PROBED, UNPROVED = "all proved", "all proved, by probe", "filtered, nothing proved"


@pytest.fixture(params=[PROVED, PROBED, UNPROVED])
async def scene(
    request: pytest.FixtureRequest, server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Scene]:
    proved = request.param != UNPROVED
    monkeypatch.setattr(counting, "_probing_pays", lambda *_: request.param == PROBED)
    with cloned(server, APP) as made:
        async with app_on(made) as app:
            if not proved:
                await app.run(_WITHOUT_KEYS)
            async with make_runtime(made, catalog={} if proved else FILTERS) as runtime:
                yield Scene(app, runtime, proved=proved)


async def lived(scene: Scene, history: History) -> tuple[list[Moment], list[Loss]]:
    """Let it happen, with a tally after each stretch."""
    life = Life(scene.app, cascades=scene.proved)
    await life.begin()
    moments, losses = [], []
    for events in history:
        moments.append(await life.happen(events))
        loss = (await take_tally(scene.runtime)).loss
        assert loss is not None
        losses.append(loss)
    return moments, losses


def acts(scene: Scene, *some: Act) -> tuple[Act, ...]:
    """Without a filter nobody can be archived."""
    return some if not scene.proved else tuple(a for a in some if not a.startswith("turn"))


@examples(12)
@given(data=st.data())
async def test_a_tallied_loss_is_what_the_history_says_and_never_more_than_was_lost(
    scene: Scene, data: st.DataObject
) -> None:
    history = data.draw(histories(*acts(scene, Act.VIEW, Act.LOSE, Act.LOSE, Act.UNDO, *LEAVING)))
    moments, losses = await lived(scene, history)
    for number, loss in enumerate(losses):
        until = moments[: number + 1]
        artworks, users = (Side(*side(until, by_user=one)) for one in (False, True))
        assert loss == loss_between(artworks, users, until[-1].undos, loss.since)
        assert loss.lost <= len(really_lost(until))


@examples(12)
@given(data=st.data())
async def test_where_nobody_leaves_and_nothing_is_viewed_again_the_loss_is_exact(
    scene: Scene, data: st.DataObject
) -> None:
    moments, losses = await lived(scene, data.draw(histories(Act.LOSE)))
    gone = len(moments[0].pairs - moments[-1].pairs)
    assert (losses[-1].lost, losses[-1].expected) == (gone, len(moments[0].pairs))


@examples(12)
@given(data=st.data())
async def test_views_deletions_archiving_and_undo_are_never_a_loss(
    scene: Scene, data: st.DataObject
) -> None:
    history = data.draw(histories(*acts(scene, Act.VIEW, Act.UNDO, *LEAVING)))
    _, losses = await lived(scene, history)
    assert [loss.lost for loss in losses] == [0] * len(losses)


async def test_who_leaves_twice_may_take_along_twice_as_much(scene: Scene) -> None:
    if scene.proved:
        pytest.skip("nobody can be archived without a filter")
    turn = (Act.TURN_USER, "u0", "")
    away = [(Act.LOSE, "u0", "a0"), (Act.VIEW, "u0", "a1")]
    first = [(Act.VIEW, "u0", "a0"), (Act.VIEW, "u1", "a2"), (Act.VIEW, "u2", "a2")]
    moments, losses = await lived(scene, [first, [turn], [*away, turn], [turn]])
    assert really_lost(moments) == set()
    assert [loss.lost for loss in losses] == [0, 0, 0, 0]
