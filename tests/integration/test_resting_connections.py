"""Pooled connections that end while they rest are replaced, and nothing is written twice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.errors import DatabaseUnavailableError
from checks.pipeline import Statement
from monitor.database import again_if_lost, at_once, create_engine, snapshot, transaction
from tests.support.app import App, app_on
from tests.support.protocol import Request
from tests.support.proxy import Link, Proxy
from tests.support.waiting import wait_until

POOL = 3
BOUND = timedelta(seconds=5)
ADD = "INSERT INTO written VALUES (1)"


class Snapping(Proxy):
    """Cuts connections where it is told to."""

    def __init__(self, server: Path) -> None:
        super().__init__(server)
        self.links: list[Link] = []
        self.cuts: list[str] = []
        """Before or after the server has heard of a request with this text."""

    async def ask(self, link: Link, request: Request) -> None:
        self.links.append(link)
        if self.cuts and self.cuts[0].encode() in request.wire:
            text = self.cuts.pop(0)
            if text == ADD:  # the server carries it out
                link.sever(5)
                link.server.write(request.wire)
            else:
                link.cut()
            return
        await super().ask(link, request)

    async def cut_resting(self) -> None:
        """What a router does to connections that were silent for too long."""
        for link in self.links:
            link.cut()
            with suppress(OSError):
                await link.client.wait_closed()
        self.links.clear()


@asynccontextmanager
async def pool_on(url: str) -> AsyncIterator[AsyncEngine]:
    """Ours, each of its connections made and at rest."""
    engine = create_engine(url, pool_size=POOL)
    try:
        await rest(engine)
        yield engine
    finally:
        await engine.dispose()


async def rest(engine: AsyncEngine) -> None:
    """Each of the connections is made, and has been used."""
    opened = [engine.connect() for _ in range(POOL)]
    for one in opened:
        await one.start()
        await one.exec_driver_sql("SELECT 1")
    for one in opened:
        await one.close()


async def sessions(app: App) -> int:
    """How many of the service there are."""
    text = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'conservator'"
    return int(await app.value(f"{text} AND datname = current_database()"))


async def end_each(app: App, _: Snapping) -> None:
    await app.run(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE application_name = 'conservator' AND datname = current_database()"
    )


async def end_idle(app: App, _: Snapping) -> None:
    async def all_gone() -> bool:
        return not await sessions(app)

    await wait_until(all_gone)


async def cut(_: App, proxy: Snapping) -> None:
    await proxy.cut_resting()


ENDS = {"terminated": end_each, "idle_session_timeout": end_idle, "cut by a router": cut}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
async def test_connections_that_end_at_rest_are_replaced_before_anything_is_sent(
    app_database_url: str, tmp_path: Path, end: Callable[[App, Snapping], Awaitable[None]]
) -> None:
    url = make_url(app_database_url)
    proxy = Snapping(Path(str(url.query["host"])))
    through = url.update_query_dict({"host": str(tmp_path)}).render_as_string(hide_password=False)
    async with app_on(app_database_url) as app, proxy.at(tmp_path):
        await app.run("CREATE TABLE written (n int)")
        if end is end_idle:
            await app.run(f"ALTER DATABASE \"{url.database}\" SET idle_session_timeout = '600ms'")
        async with pool_on(through) as engine:
            for n in range(1, 4):
                await end(app, proxy)
                async with transaction(engine) as connection:
                    await connection.exec_driver_sql(ADD)
                await rest(engine)
                await end(app, proxy)
                await at_once(engine, Statement(ADD), timeout=BOUND)
                await rest(engine)
                await end(app, proxy)
                async with snapshot(engine, timeout=BOUND) as connection:
                    found = await connection.exec_driver_sql("SELECT count(*) FROM written")
                    assert found.scalar_one() == 2 * n


async def test_what_is_lost_on_its_first_trip_is_sent_again_unless_it_may_be_committed(
    app_database_url: str, tmp_path: Path
) -> None:
    url = make_url(app_database_url)
    proxy = Snapping(Path(str(url.query["host"])))
    through = url.update_query_dict({"host": str(tmp_path)}).render_as_string(hide_password=False)
    async with app_on(app_database_url) as app, proxy.at(tmp_path), pool_on(through) as engine:
        await app.run("CREATE TABLE written (n int)")

        async def written() -> int:
            return int(await app.value("SELECT count(*) FROM written"))

        proxy.cuts = ["BEGIN"]
        async with transaction(engine) as connection:
            await connection.exec_driver_sql(ADD)
        assert await written() == 1
        proxy.cuts = ["SELECT 17"]
        [[[found]]] = await at_once(engine, Statement("SELECT 17"), timeout=BOUND, read_only=True)
        assert found == 17
        # The answer to a commit is lost: whether it was carried out nobody knows.
        proxy.cuts = [ADD]
        with pytest.raises(DatabaseUnavailableError):
            await at_once(engine, Statement(ADD), timeout=BOUND)
        await wait_until(lambda: not proxy.cuts)

        async def carried_out() -> bool:
            return await written() == 2

        await wait_until(carried_out)
        # Nor is what is lost in the middle.
        proxy.cuts = ["SELECT 18"]
        with pytest.raises(DatabaseUnavailableError):
            async with transaction(engine) as connection:
                await connection.exec_driver_sql(ADD)
                await connection.exec_driver_sql("SELECT 18")
        assert await written() == 2
        # A second time in a row it is no accident.
        proxy.cuts = ["BEGIN", "BEGIN"]
        with pytest.raises(DatabaseUnavailableError):
            async with transaction(engine):
                pass
        assert proxy.cuts == []


async def test_a_write_that_meets_a_goodbye_is_told_and_not_sent_again(
    app_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A goodbye may be a PgBouncer's, of a server that has carried it out."""
    monkeypatch.setattr("monitor.database._is_readable", lambda _: False)  # as if just before
    async with app_on(app_database_url) as app, pool_on(app_database_url) as engine:
        await app.run("CREATE TABLE written (n int)")
        await end_each(app, None)  # type: ignore[arg-type]
        with pytest.raises(DatabaseUnavailableError):
            await at_once(engine, Statement(ADD), timeout=BOUND)
        assert await app.value("SELECT count(*) FROM written") == 0
        await at_once(engine, Statement(ADD), timeout=BOUND)
        assert await app.value("SELECT count(*) FROM written") == 1


async def test_a_question_whose_session_is_ended_in_the_middle_is_asked_again(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app, pool_on(app_database_url) as engine:
        asked: list[int] = []

        async def read() -> int:
            async with snapshot(engine, timeout=BOUND) as connection:
                asked.append(1)
                if len(asked) < 2:
                    await end_each(app, None)  # type: ignore[arg-type]
                return int((await connection.exec_driver_sql("SELECT 5")).scalar_one())

        assert await again_if_lost(read) == 5
        assert len(asked) == 2

        async def refused() -> int:
            asked.append(1)
            async with snapshot(engine, timeout=BOUND) as connection:
                return int((await connection.exec_driver_sql("SELECT 1/0")).scalar_one())

        with pytest.raises(Exception, match="division by zero"):
            await again_if_lost(refused)
        assert len(asked) == 3


async def test_connections_that_are_well_are_kept(app_database_url: str) -> None:
    async with app_on(app_database_url) as app, pool_on(app_database_url) as engine:
        pids = "SELECT array_agg(pid ORDER BY pid) FROM pg_stat_activity WHERE application_name"
        before = await app.value(f"{pids} = 'conservator'")
        for _ in range(5):
            await rest(engine)
            async with transaction(engine):
                pass
        assert await app.value(f"{pids} = 'conservator'") == before
