"""When the service counts everything, and when what has changed is enough."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from structlog.testing import capture_logs

from checks.census import CensusForm
from monitor.counting import Counted, Counting
from monitor.database import create_engine
from monitor.reading import ReadServer
from monitor.status import Status, StatusBoard
from monitor.workshop import Workshop
from tests.support.app import App, app_on
from tests.support.healing import heal, make_workshop
from tests.support.pgbouncer import bouncing
from tests.support.postgres import PostgresServer
from tests.support.waiting import wait_until

HOUR = timedelta(hours=1)
IN_FULL, BY_CHANGES = CensusForm.BY_TOTAL, CensusForm.INCREMENTAL
VIEW = "INSERT INTO user_art_impressions (user_id, artwork_id) VALUES ('u0001', 'stored0001')"
LOSS = "DELETE FROM user_art_impressions WHERE user_id = 'u0002'"


class Counter:
    """A Counting whose sessions are settled as soon as they are idle, and an app that reports at
    once."""

    def __init__(
        self, app: App, workshop: Workshop, full_every: timedelta | None, settled_after: float
    ) -> None:
        self.app = app
        board = StatusBoard(Status(started=datetime.now(UTC), version="0", revision="0"))
        engine = workshop.engine
        self.server = ReadServer(engine, engine, board, max_lag=HOUR)
        self.workshop = workshop
        self.counting = Counting(
            self.server, lambda: self.workshop, full_every=full_every, settled_after=settled_after
        )

    async def do(self, statement: str) -> None:
        await self.app.run(statement)
        await self.app.run("SELECT pg_stat_force_next_flush()")

    async def gone(self) -> None:
        """The app closes its session; waits until the server has ended every one of the app's."""
        await self.app.connection.close()
        await wait_until(self._none_is_left)

    async def _none_is_left(self) -> bool:
        left = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'app'"
        async with self.workshop.engine.connect() as connection:
            found: int = (await connection.exec_driver_sql(left)).scalar_one()
            return found == 0

    async def take(self) -> Counted:
        return await self.counting.take(verified_until=None, users_due=lambda: True)

    async def forms(self, number: int) -> list[CensusForm]:
        return [(await self.take()).census.form for _ in range(number)]


@asynccontextmanager
async def counter(
    url: str,
    *,
    full_every: timedelta | None = HOUR,
    settled_after: float = 0.0,
    healthy: bool = True,
    **config: Any,
) -> AsyncIterator[Counter]:
    """On a gallery in which nothing is legacy."""
    async with app_on(url) as app:
        await app.plant(users=3, artworks=0 if healthy else 4)
        async with make_workshop(url, **{"watches": True, **config}) as workshop:
            made = Counter(app, workshop, full_every, settled_after)
            await made.do("SELECT")
            yield made


async def test_a_gallery_at_rest_is_counted_once_and_then_followed(app_database_url: str) -> None:
    async with counter(app_database_url) as one:
        first = await one.take()
        second = await one.take()
        assert (first.census.form, second.census.form) == (IN_FULL, BY_CHANGES)
        assert first.census.counts == second.census.counts
        assert second.note == f"Counted from what changed since {first.census.as_of:%H:%M:%S} UTC."
        await one.do(VIEW)
        third = await one.take()
        assert third.census.form is BY_CHANGES
        assert third.census.tracked == first.census.tracked + 1
        assert third.census.storage == first.census.storage - 1


async def test_a_row_that_is_lost_is_counted_in_full_at_once_and_followed_again_when_healed(
    app_database_url: str,
) -> None:
    async with counter(app_database_url) as one:
        assert await one.forms(2) == [IN_FULL, BY_CHANGES]
        await one.do(
            "INSERT INTO art_sessions (id, session_id, image_url, created_at)"
            " VALUES ('import', 's', '/', timezone('UTC', now()) - interval '30 days')"
        )
        # A gallery with legacy pairs is never followed; once they are expected, the total is not
        # asked for first.
        for form in (IN_FULL, CensusForm.BY_ARTWORK, CensusForm.BY_ARTWORK):
            found = (await one.take()).census
            assert (found.form, found.legacy_untracked) == (form, 3)
        await heal(one.workshop)
        assert await one.forms(2) == [CensusForm.BY_ARTWORK, BY_CHANGES]


async def test_for_a_minute_after_a_run_our_own_sessions_are_no_exception(
    app_database_url: str,
) -> None:
    async with counter(app_database_url, settled_after=15.0, healthy=False) as one:
        await heal(one.workshop)
        await one.app.run("UPDATE conservator.run SET finished_at = now()")
        async with (
            make_workshop(app_database_url, watches=True) as other,
            other.engine.connect() as session,
        ):
            await session.exec_driver_sql("SELECT 1")
            await one.gone()
            assert await one.forms(2) == [IN_FULL, IN_FULL]
            async with app_on(app_database_url) as app:
                await app.run(
                    "UPDATE conservator.run SET finished_at = now() - interval '2 minutes'"
                )
            await one.gone()
            assert await one.forms(2) == [IN_FULL, BY_CHANGES]


async def test_while_another_session_is_busy_everything_is_counted(app_database_url: str) -> None:
    async with counter(app_database_url) as one:
        assert await one.forms(2) == [IN_FULL, BY_CHANGES]
        await one.app.run("BEGIN")
        assert await one.forms(2) == [IN_FULL, IN_FULL]
        await one.app.run("COMMIT")
        assert await one.forms(2) == [IN_FULL, BY_CHANGES]


async def test_sessions_that_were_active_within_fifteen_seconds_are_busy(
    app_database_url: str,
) -> None:
    async with counter(app_database_url, settled_after=15.0) as one:
        assert await one.forms(3) == [IN_FULL] * 3


async def test_our_own_sessions_are_no_hindrance(app_database_url: str) -> None:
    async with counter(app_database_url, settled_after=15.0) as one:
        await one.gone()
        async with (
            make_workshop(app_database_url, watches=True) as other,
            other.engine.connect() as session,
        ):
            await session.exec_driver_sql("SELECT 1")
            assert await one.forms(2) == [IN_FULL, BY_CHANGES]


async def test_a_role_that_does_not_see_other_sessions_counts_everything(
    app_database_url: str,
) -> None:
    async with counter(app_database_url, watches=False) as one:
        assert await one.forms(3) == [IN_FULL] * 3
        await one.gone()  # now there is nobody to be seen
        assert await one.forms(2) == [IN_FULL, BY_CHANGES]


async def test_without_full_every_everything_is_counted(app_database_url: str) -> None:
    async with counter(app_database_url, full_every=None) as one:
        assert await one.forms(3) == [IN_FULL] * 3


async def test_when_its_time_has_come_everything_is_counted_again(app_database_url: str) -> None:
    async with counter(app_database_url, full_every=timedelta()) as one:
        assert await one.forms(3) == [IN_FULL] * 3


async def test_where_a_full_count_differs_from_what_was_followed_following_ends_for_good(
    app_database_url: str,
) -> None:
    async with counter(app_database_url) as one:
        assert await one.forms(2) == [IN_FULL, BY_CHANGES]
        basis = one.counting._basis
        assert basis is not None
        long_ago = basis.counted_at - 2 * HOUR
        one.counting._basis = replace(
            basis, impressions=basis.impressions - 1, audience=2, counted_at=long_ago
        )
        with capture_logs() as logs:
            assert await one.forms(3) == [IN_FULL] * 3
        assert [log["event"] for log in logs if log["log_level"] == "error"] == ["census_differs"]


async def test_a_full_count_that_is_due_and_agrees_makes_a_new_basis(app_database_url: str) -> None:
    async with counter(app_database_url) as one:
        assert await one.forms(2) == [IN_FULL, BY_CHANGES]
        basis = one.counting._basis
        assert basis is not None
        one.counting._basis = replace(basis, counted_at=basis.counted_at - 2 * HOUR)
        with capture_logs() as logs:
            assert await one.forms(2) == [IN_FULL, BY_CHANGES]
        assert not [log for log in logs if log["log_level"] == "error"]
        assert one.counting._basis.counted_at > basis.counted_at


async def test_tables_that_prove_too_little_are_counted_in_full(app_database_url: str) -> None:
    async with app_on(app_database_url) as app:
        await app.run(
            "ALTER TABLE user_art_impressions DROP CONSTRAINT user_art_impressions_artwork_id_fkey"
        )
    async with counter(app_database_url) as one:
        assert await one.forms(3) == [CensusForm.BY_ARTWORK] * 3


async def test_a_child_table_that_came_since_the_catalogue_was_read_is_noticed(
    app_database_url: str,
) -> None:
    async with counter(app_database_url) as one:
        assert await one.forms(2) == [IN_FULL, BY_CHANGES]
        await one.do(
            "CREATE TABLE more () INHERITS (user_art_impressions);"
            " GRANT SELECT ON more TO PUBLIC;"
            " INSERT INTO more (user_id, artwork_id) VALUES ('u0001', 'stored0001')"
        )
        found = (await one.take()).census
        assert (found.form, found.tracked) == (IN_FULL, 4)


async def test_a_table_that_was_exchanged_for_another_is_counted_in_full(
    app_database_url: str,
) -> None:
    async with counter(app_database_url) as one:
        assert await one.forms(2) == [IN_FULL, BY_CHANGES]
        await one.do(
            "ALTER TABLE user_art_impressions RENAME TO before;"
            " CREATE TABLE user_art_impressions (LIKE before INCLUDING ALL);"
            " GRANT SELECT ON user_art_impressions TO PUBLIC;"
            " INSERT INTO user_art_impressions (user_id, artwork_id) VALUES ('u0001', 'seen0001')"
        )
        found = (await one.take()).census
        assert (found.form, found.tracked) == (IN_FULL, 1)


async def test_through_a_pooler_everything_is_counted(
    app_database_url: str, server: PostgresServer
) -> None:
    async with counter(app_database_url) as one:
        assert await one.forms(2) == [IN_FULL, BY_CHANGES]
        with bouncing(server) as bouncer:
            pooled = create_engine(bouncer.url(app_database_url), pool_size=1)
            one.workshop = replace(one.workshop, engine=pooled)
            try:
                assert await one.forms(2) == [IN_FULL, IN_FULL]
            finally:
                await pooled.dispose()
