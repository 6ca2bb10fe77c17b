"""Impressions that few users lost at once are told from a loss, by the tallies alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from checks.doctor.findings import Blocks, Finding
from checks.doctor.input import Vanished
from checks.doctor.vanished import CODE, looks_like_purpose
from monitor.loop.tallies import take_tally
from monitor.runtime import Runtime, inspect_catalogue
from monitor.state.runs import RunState
from tests.support.app import App, app_on
from tests.support.databases import APP, cloned
from tests.support.healing import heal, make_runtime
from tests.support.postgres import PostgresServer
from tests.support.undoing import undo

EVENT = Vanished(
    after=None,
    until=datetime(2026, 1, 2, tzinfo=UTC),
    users=2,
    before=60,
    missing=50,
    missing_of_others=3,
    still_missing=40,
    everybody=40,
)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({}, True),
        ({"still_missing": 0}, False),
        ({"users": 10}, True),
        ({"users": 11}, False),
        ({"everybody": 2, "users": 1}, True),
        ({"missing_of_others": 12}, True),
        ({"missing_of_others": 13}, False),
    ],
)
def test_few_users_must_lack_most_of_what_vanished(event: dict[str, int], expected: bool) -> None:
    assert looks_like_purpose(replace(EVENT, **event)) is expected  # type: ignore[arg-type]


@dataclass(frozen=True)
class Scene:
    """A gallery in which all have seen all; the service's tools."""

    app: App
    runtime: Runtime

    async def findings(self) -> list[Finding]:
        """What doctor, as the service's role, says of impressions deleted on purpose."""
        examination = await inspect_catalogue(self.runtime.engine, self.runtime.settings)
        return [one for one in examination.findings if one.code == CODE]

    async def seen(self) -> None:
        """Everybody has seen everything that is old."""
        await self.app.run(
            "INSERT INTO user_art_impressions (user_id, artwork_id)"
            " SELECT u.id, a.id FROM users AS u CROSS JOIN art_sessions AS a"
            " WHERE a.id LIKE 'old%' ON CONFLICT DO NOTHING"
        )


@pytest.fixture
async def scene(server: PostgresServer) -> AsyncIterator[Scene]:
    with cloned(server, APP) as url:
        async with app_on(url) as app, make_runtime(url) as runtime:
            await app.plant(users=12, artworks=20, untracked=0)
            yield Scene(app, runtime)


async def test_a_cleared_history_is_told_until_it_has_come_back(scene: Scene) -> None:
    assert await scene.findings() == []
    await scene.seen()
    await take_tally(scene.runtime)
    assert await scene.findings() == []
    await scene.app.run(
        "DELETE FROM user_art_impressions WHERE user_id IN ('u0003', 'u0007')"
        " AND artwork_id LIKE 'old%'"
    )
    await scene.app.run(
        "DELETE FROM user_art_impressions WHERE artwork_id = 'old0001' AND user_id = 'u0001'"
    )
    await take_tally(scene.runtime)
    [finding] = await scene.findings()
    assert "40 of the 42 impressions of 2 users vanished at once" in finding.problem
    assert "all other users lost 1:" in finding.problem
    assert "Healing writes 40 of them back" in finding.consequence
    assert "catalog.users.created_at" in finding.remedy
    assert finding.blocks is Blocks.NOTHING
    assert not (finding.settings or finding.statements or finding.accepted_as)
    # It stands for what a run would write: once that is done, there is nothing to say.
    healed = await heal(scene.runtime)
    assert healed.run.state is RunState.SUCCEEDED
    await take_tally(scene.runtime)
    assert await scene.findings() == []


async def test_a_loss_that_meets_everybody_is_none(scene: Scene) -> None:
    await scene.seen()
    await take_tally(scene.runtime)
    await scene.app.run(
        "DELETE FROM user_art_impressions WHERE artwork_id LIKE 'old%' AND artwork_id > 'old0005'"
    )
    await take_tally(scene.runtime)
    assert await scene.findings() == []


async def test_artworks_that_are_deleted_and_users_that_leave_are_none(scene: Scene) -> None:
    await scene.seen()
    await take_tally(scene.runtime)
    await scene.app.run("DELETE FROM users WHERE id = 'u0004'")
    await take_tally(scene.runtime)
    await scene.app.run("DELETE FROM art_sessions WHERE id > 'old0003' AND id LIKE 'old%'")
    await take_tally(scene.runtime)
    assert await scene.findings() == []


async def test_what_an_undo_takes_back_is_none(scene: Scene) -> None:
    await scene.app.run(
        "INSERT INTO user_art_impressions (user_id, artwork_id)"
        " SELECT u.id, a.id FROM users AS u CROSS JOIN art_sessions AS a"
        " WHERE a.id LIKE 'old%' AND u.id <> 'u0005' ON CONFLICT DO NOTHING"
    )
    ended = await heal(scene.runtime)
    assert ended.run.inserted == 20
    await take_tally(scene.runtime)
    await undo(scene.runtime, ended.run.id)
    await take_tally(scene.runtime)
    assert await scene.findings() == []
