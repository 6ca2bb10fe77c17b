"""The sample gallery has the shape of the incident, and its visitors behave like the app's."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks.errors import ConservatorError
from monitor.demo.gallery import Gallery, Visitors, build_gallery
from tests.support.commands import on_one_server
from tests.support.waiting import wait_until

pytestmark = on_one_server

# Each state counted as the contract words it, pair by pair.
PAIRS = """
SELECT count(*) AS pairs,
    count(seen.id) AS tracked,
    count(*) FILTER (WHERE seen.id IS NULL AND age < interval '15 minutes') AS fresh,
    count(*) FILTER (
        WHERE seen.id IS NULL AND age >= interval '15 minutes' AND age < interval '7 days'
    ) AS storage,
    count(*) FILTER (WHERE seen.id IS NULL AND age >= interval '7 days') AS legacy
FROM (SELECT DISTINCT user_id FROM user_art_impressions) AS audience
CROSS JOIN (
    SELECT id, now() AT TIME ZONE 'UTC' - created_at AS age FROM art_sessions
) AS artwork
LEFT JOIN user_art_impressions AS seen
    ON seen.user_id = audience.user_id AND seen.artwork_id = artwork.id
"""

IMPLAUSIBLE = """
SELECT count(*) FROM user_art_impressions AS seen
JOIN art_sessions AS artwork ON artwork.id = seen.artwork_id
JOIN users ON users.id = seen.user_id
WHERE seen.viewed_at < artwork.created_at OR seen.viewed_at < users.created_at
    OR seen.viewed_at > clock_timestamp() AT TIME ZONE 'UTC'
"""

OUTAGE = """
SELECT count(*) FILTER (WHERE viewed_at > moment - interval '23 days'
        AND viewed_at < moment - interval '20 days'),
    count(*) FILTER (WHERE viewed_at > moment - interval '26 days'
        AND viewed_at < moment - interval '23 days')
FROM user_art_impressions, (SELECT now() AT TIME ZONE 'UTC' AS moment) AS clock
"""


async def small(engine: AsyncEngine, **more: float) -> Gallery:
    async with engine.begin() as connection:
        return await build_gallery(connection, users=30, artworks=200, **more)  # type: ignore[arg-type]


async def number(connection: AsyncConnection, query: str) -> int:
    return int(await connection.scalar(text(query)) or 0)


async def test_the_gallery_has_pairs_in_every_state_and_a_modest_share_of_legacy(
    app_engine: AsyncEngine,
) -> None:
    async with app_engine.begin() as connection:
        gallery = await build_gallery(connection)
        counted = (await connection.execute(text(PAIRS))).one()
        users = await number(connection, "SELECT count(*) FROM users")
        artworks = await number(connection, "SELECT count(*) FROM art_sessions")
    assert (gallery.users, gallery.artworks, gallery.impressions) == (
        users,
        artworks,
        counted.tracked,
    )
    assert 0.08 < counted.legacy / counted.pairs < 0.15
    assert counted.fresh > 0
    assert counted.storage > 0
    assert counted.pairs == 270 * artworks, "every tenth user is untracked"


@pytest.mark.parametrize("seed", [-0.9, 0.0, 0.5])
async def test_a_small_gallery_keeps_the_proportions_for_any_seed(
    app_engine: AsyncEngine, seed: float
) -> None:
    await small(app_engine, seed=seed)
    async with app_engine.connect() as connection:
        counted = (await connection.execute(text(PAIRS))).one()
    assert 0.05 < counted.legacy / counted.pairs < 0.30
    assert counted.fresh > 0
    assert counted.storage > 0
    assert counted.pairs == 27 * 200


async def test_impressions_are_plausible_and_missing_during_the_outage(
    app_engine: AsyncEngine,
) -> None:
    await small(app_engine)
    async with app_engine.connect() as connection:
        assert await number(connection, IMPLAUSIBLE) == 0
        during, before = (await connection.execute(text(OUTAGE))).one()
    assert during == 0
    assert before > 0


async def test_a_gallery_too_young_for_the_outage_is_refused(app_engine: AsyncEngine) -> None:
    with pytest.raises(ValueError, match="at least 30, found 20"):
        await small(app_engine, days=20)


def watched_visitors(
    url: str, *, artwork_share: float, drop_share: float = 0
) -> tuple[Visitors, Counter[tuple[str, str]]]:
    """Visitors at full speed, and how often each user was shown each artwork."""
    shown: Counter[tuple[str, str]] = Counter()
    visitors = Visitors(
        url,
        rate=2000,
        rng=random.Random(7),
        on_view=lambda user, artwork: shown.update([(user, artwork)]),
        artwork_share=artwork_share,
        drop_share=drop_share,
    )
    return visitors, shown


async def test_visitors_never_see_an_artwork_twice(
    app_engine: AsyncEngine, app_database_url: str
) -> None:
    await small(app_engine)
    visitors, shown = watched_visitors(app_database_url, artwork_share=0.1)
    async with app_engine.connect() as connection:
        before = await number(connection, "SELECT count(*) FROM user_art_impressions")
        visitors.start()
        await wait_until(lambda: visitors.views >= 200 and visitors.artworks >= 5)
        await visitors.stop()
        after = await number(connection, "SELECT count(*) FROM user_art_impressions")
        artworks = await number(connection, "SELECT count(*) FROM art_sessions")
        assert await number(connection, IMPLAUSIBLE) == 0
    assert max(shown.values()) == 1
    assert shown.total() == visitors.views
    # stop may take back what was under way: at most one visit for each of the crowd
    assert 0 <= before + visitors.views - after <= 4
    assert 0 <= 200 + visitors.artworks - artworks <= 4


async def test_dropped_views_are_not_recorded_and_come_round_again(
    app_engine: AsyncEngine, app_database_url: str
) -> None:
    await small(app_engine)
    visitors, shown = watched_visitors(app_database_url, artwork_share=0, drop_share=1)
    async with app_engine.connect() as connection:
        before = await number(connection, "SELECT count(*) FROM user_art_impressions")
        visitors.start()
        await wait_until(lambda: max(shown.values(), default=0) > 1)
        await visitors.stop()
        assert await number(connection, "SELECT count(*) FROM user_art_impressions") == before
    assert 0 <= visitors.views - visitors.dropped <= 4


async def test_a_failing_visit_ends_the_visits_and_is_raised(
    app_engine: AsyncEngine, app_database_url: str
) -> None:
    await small(app_engine)
    visitors = Visitors(app_database_url, rate=500)
    visitors.start()
    await wait_until(lambda: visitors.views > 0)
    async with app_engine.begin() as connection:
        await connection.execute(text("ALTER TABLE user_art_impressions RENAME TO elsewhere"))
    with pytest.raises(ProgrammingError, match="does not exist"):
        await asyncio.wait_for(visitors.wait(), timeout=10)
    with pytest.raises(ProgrammingError, match="does not exist"):
        await visitors.stop()


async def test_visitors_without_users_are_refused(app_database_url: str) -> None:
    visitors = Visitors(app_database_url)
    visitors.start()
    with pytest.raises(ConservatorError, match="Build the gallery first"):
        await visitors.wait()
