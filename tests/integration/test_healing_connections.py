"""Connections that are lost inside a batch, before its commit, and after it: the run completes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from enum import Enum, auto
from itertools import cycle
from pathlib import Path

import pytest
from sqlalchemy import make_url

from checks.errors import DatabaseUnavailableError
from monitor.state.runs import RunState
from tests.support.app import app_on
from tests.support.healing import (
    IMPRESSIONS,
    RECORD,
    Gate,
    claimed,
    heal,
    make_runtime,
    paced,
    plan,
    planted,
    working,
)
from tests.support.ledger_audit import (
    assert_exactly_healed,
    assert_ledger_is_there,
    assert_only_legacy_inserted,
    assert_records_agree,
    start_audit,
)
from tests.support.waiting import wait_until
from tests.support.writers import Writers

pytestmark = pytest.mark.prepared

SOCKET = ".s.PGSQL.5432"

PACED = paced(10, "30s")


class Cut(Enum):
    """What happens to a connection that commits a batch."""

    NEVER = auto()
    BEFORE = auto()
    """The server never hears of the commit."""
    AFTER = auto()
    """The server commits, and its answer is lost."""


class Wire:
    """Stands between client and server, and cuts connections where batches commit."""

    def __init__(
        self, server: Path, cuts: Iterator[Cut], *, never_asked: bytes | None = None
    ) -> None:
        """Batches are treated as `cuts` says; a question with the text `never_asked` ends the
        connection before the server hears of it."""
        self.made: list[Cut] = []
        self._never_asked = never_asked
        self._server = server
        self._cuts = cuts

    @asynccontextmanager
    async def at(self, folder: Path) -> AsyncIterator[None]:
        """Listens in `folder` as a server would."""
        async with await asyncio.start_unix_server(self._serve, folder / SOCKET):
            yield

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, requests = await asyncio.open_unix_connection(self._server / SOCKET)
        answering = asyncio.create_task(self._answer(answers, writer))
        try:
            wrote = False
            while data := await reader.read(1 << 16):
                wrote = wrote or b".batch (run_id" in data
                cut = Cut.NEVER
                if self._never_asked is not None and self._never_asked in data:
                    cut = Cut.BEFORE
                if wrote and b"COMMIT" in data:
                    wrote, cut = False, next(self._cuts)
                if cut is Cut.AFTER:
                    answering.cancel()
                    await asyncio.gather(answering, return_exceptions=True)
                    requests.write(data)
                    assert b"COMMIT" in await answers.read(1 << 16)
                if cut is not Cut.NEVER:
                    self.made.append(cut)
                    return
                requests.write(data)
        finally:
            answering.cancel()
            requests.close()
            writer.close()

    async def _answer(self, answers: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await answers.read(1 << 16):
            writer.write(data)
        writer.close()


@pytest.mark.parametrize("cut", [Cut.BEFORE, Cut.AFTER], ids=lambda cut: cut.name.lower())
async def test_a_commit_whose_answer_is_lost_is_neither_lost_nor_repeated(
    app_database_url: str, tmp_path: Path, cut: Cut
) -> None:
    url = make_url(app_database_url)
    wire = Wire(Path(str(url.query["host"])), cycle([Cut.NEVER, cut, Cut.NEVER]))
    wired = url.update_query_dict({"host": str(tmp_path)}).render_as_string(hide_password=False)
    async with app_on(app_database_url) as app, wire.at(tmp_path):
        await app.plant(users=6, artworks=15)
        await start_audit(app)
        before = await app.value("SELECT count(*) FROM user_art_impressions")
        async with make_runtime(wired, **PACED) as runtime:
            ended = await heal(runtime)
        assert len(wire.made) >= 4
        assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 90)
        # Each user takes two batches; those that were committed are not written again.
        assert ended.run.batches == 12
        assert await app.value("SELECT count(*) FROM user_art_impressions") == before + 90
        await assert_exactly_healed(app)


@pytest.mark.parametrize("place", [IMPRESSIONS, RECORD])
async def test_a_session_that_is_terminated_inside_its_batches_is_replaced(
    app_database_url: str, place: str
) -> None:
    async with (
        planted(app_database_url, users=10, artworks=10, **PACED) as (app, runtime),
        app_on(app_database_url) as keeper,
    ):
        await start_audit(app)
        run = await plan(runtime)
        gate = Gate(keeper)
        await gate.build(after_batches=2, place=place)
        task = working(runtime, run)
        killed: set[int] = set()
        while len(killed) < 3:
            await wait_until(gate.somebody_waits)
            for pid in await gate.waiting():
                await app.run("SELECT pg_terminate_backend(%(pid)s, 5000)", pid=pid)
                killed.add(pid)
        await gate.open()
        ended = await task
        assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 100)
        assert ended.run.batches == 10
        await assert_exactly_healed(app)


async def test_sessions_terminated_at_random_among_writers_lose_and_repeat_nothing(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=25, artworks=30, **PACED) as (app, runtime):
        await start_audit(app)
        async with Writers(app_database_url, crowd=2):
            run = await plan(runtime)
            task = working(runtime, run)
            for batches in (3, 15, 30):

                async def has_come_so_far(batches: int = batches) -> bool:
                    found = await app.value("SELECT max(batches) FROM conservator.run")
                    return task.done() or found >= batches

                await wait_until(has_come_so_far)
                await app.run(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'conservator' AND datname = current_database()"
                )
            ended = await task
        assert ended.run.state is RunState.SUCCEEDED, ended.run.outcome
        assert ended.run.batches > 30
        await assert_only_legacy_inserted(app)
        await assert_records_agree(app)


async def test_a_connection_lost_while_counting_again_leaves_a_run_that_is_taken_up(
    app_database_url: str, tmp_path: Path
) -> None:
    url = make_url(app_database_url)
    wire = Wire(Path(str(url.query["host"])), cycle([Cut.NEVER]), never_asked=b"SELECT error FROM")
    wired = url.update_query_dict({"host": str(tmp_path)}).render_as_string(hide_password=False)
    async with app_on(app_database_url) as app, wire.at(tmp_path):
        await app.plant(users=2, artworks=10)
        async with make_runtime(wired, lease="300ms") as runtime:
            with pytest.raises(DatabaseUnavailableError):
                await heal(runtime)
        assert await app.rows("SELECT state, inserted FROM conservator.run") == [("running", 20)]
        async with make_runtime(app_database_url) as runtime:
            ended = await working(runtime, await claimed(runtime, 1))
        assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 20)
        await assert_records_agree(app)
        await assert_ledger_is_there(app)
