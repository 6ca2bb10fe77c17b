"""What appears behind the last verified heal is told apart from what aged and from who joined."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from monitor.loop import tallies
from monitor.service.service import Service
from tests.support.app import App, app_on
from tests.support.services import is_clean, service_on
from tests.support.waiting import wait_until

pytestmark = pytest.mark.prepared

JOIN = """
WITH joined AS (INSERT INTO users (id) VALUES (%(user)s) RETURNING id)
INSERT INTO user_art_impressions (user_id, artwork_id) SELECT id, 'fresh0001' FROM joined
"""
AGE = """
UPDATE art_sessions SET created_at = now() - interval '7 days' WHERE id = '{artwork}'
"""
LEAVE = "DELETE FROM user_art_impressions WHERE user_id = 'u0006'"
COME_BACK = "INSERT INTO user_art_impressions (user_id, artwork_id) VALUES ('u0006', 'fresh0001')"
FORGET = "DELETE FROM user_art_impressions WHERE artwork_id = %(artwork)s AND user_id <> 'u0001'"


async def healed_again(app: App, service: Service, runs: int) -> None:
    """So many runs have ended, and nothing is left."""

    async def ended() -> bool:
        found = await app.value(
            "SELECT count(*) FROM conservator.run WHERE finished_at IS NOT NULL"
        )
        return bool(found >= runs)

    await wait_until(ended)
    await wait_until(lambda: is_clean(service))


async def recurring(app: App) -> list[int]:
    return [n for (n,) in await app.rows("SELECT recurring FROM conservator.run ORDER BY id")]


@pytest.mark.parametrize(("hidden", "pairs"), [(0.1, 6), (10**6, 5)], ids=["tallied", "listed"])
async def test_only_what_vanished_after_it_was_healed_recurs(
    app_database_url: str, monkeypatch: pytest.MonkeyPatch, hidden: float, pairs: int
) -> None:
    # Without another tally nobody knows that who joined since was healed, too.
    monkeypatch.setattr(tallies, "HIDDEN_SHARE", hidden)
    async with app_on(app_database_url) as app:
        await app.plant(users=6, artworks=10)
        with capture_logs() as logs:
            async with service_on(app_database_url) as service:
                await healed_again(app, service, 1)
                # All old artworks lie before who joins: healed, and nobody's fault.
                await app.run(JOIN, user="late")
                await healed_again(app, service, 2)
                # It merely grew old.
                await app.run(AGE.format(artwork="stored0001"))
                await healed_again(app, service, 3)
                assert await recurring(app) == [0, 0, 0]
                assert service.board.current.recurring == 0
                # Both at once, so that one heal finds them together.
                forget = FORGET.replace("%(artwork)s", "'old0003'")
                await app.run(f"{forget}; {AGE.format(artwork='stored0002')}")
                await healed_again(app, service, 4)
                assert await recurring(app) == [0, 0, 0, pairs]
                await app.run(FORGET, artwork="old0004")
                await healed_again(app, service, 5)
                await wait_until(lambda: service.board.current.recurring == 2 * pairs)
        reasons = await app.rows("SELECT reason FROM conservator.run ORDER BY id DESC LIMIT 1")
        said = f"{pairs} of them appeared behind the last verified heal, {2 * pairs} within 24 h"
        assert said in reasons[0][0]
        warned = [line for line in logs if line["event"] == "recurring"]
        assert [(line["pairs"], line["within_24_hours"]) for line in warned] == [
            (pairs, pairs),
            (pairs, 2 * pairs),
        ]


async def test_what_recurred_is_forgotten_after_a_day(app_database_url: str) -> None:
    async with app_on(app_database_url) as app:
        await app.plant(users=3, artworks=5)
        async with service_on(app_database_url) as service:
            await healed_again(app, service, 1)
            await app.run(FORGET, artwork="old0001")
            await healed_again(app, service, 2)
            await wait_until(lambda: service.board.current.recurring == 2)
            await app.run(
                "UPDATE conservator.run SET started_at = started_at - interval '25 hours'"
            )
            await wait_until(lambda: service.board.current.recurring == 0)


async def test_who_had_left_when_all_was_healed_comes_back_as_one_who_joins(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await app.plant(users=6, artworks=10)
        async with service_on(app_database_url) as service:
            await healed_again(app, service, 1)
            await app.run(f"{LEAVE}; {AGE.format(artwork='stored0001')}")
            await healed_again(app, service, 2)
            await app.run(COME_BACK)
            await healed_again(app, service, 3)
            assert await recurring(app) == [0, 0, 0]
