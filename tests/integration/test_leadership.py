"""The lease row: whoever asks, and however many ask at once, one leads, and its token says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from checks.errors import ConservatorError
from monitor.database import create_engine, transaction
from monitor.replicas.leadership import Leadership, NotLeadingError
from monitor.state.statements import SchemaStatements
from tests.support.app import App, app_on
from tests.support.databases import APP, cloned, create_app_template
from tests.support.generated import examples
from tests.support.healing import make_runtime
from tests.support.postgres import PostgresServer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.prepared

LONG = timedelta(hours=1)
EXPIRE = "UPDATE conservator.leader SET lease_until = now() - interval '1 second'"


@dataclass
class Clock:
    """A monotonic clock that a test moves."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Candidate:
    """A process that wants to lead, and what it was told."""

    leadership: Leadership
    clock: Clock
    told: list[str] = field(default_factory=list)


@asynccontextmanager
async def candidates(
    url: str, number: int = 2, lease: timedelta = LONG
) -> AsyncIterator[list[Candidate]]:
    """Processes a, b, c … on the database at `url`, each with a clock of its own."""
    async with AsyncExitStack() as stack:
        async with app_on(url) as app:
            if await app.value("SELECT to_regclass('conservator.leader') IS NULL"):
                await stack.enter_async_context(make_runtime(url))
        found = []
        for name in "abcdefghijkl"[:number]:
            engine = create_engine(url, pool_size=1)
            stack.push_async_callback(engine.dispose)
            found.append(candidate(engine, name, lease))
        yield found


def candidate(engine: AsyncEngine, name: str, lease: timedelta) -> Candidate:
    told: list[str] = []

    def answered(error: ConservatorError | None) -> None:
        if error is not None:
            told.append("away")

    clock = Clock()
    leadership = Leadership(
        engine,
        SchemaStatements("conservator"),
        holder=name,
        lease=lease,
        on_gained=lambda: told.append("gained"),
        on_lost=lambda: told.append("lost"),
        on_answer=answered,
        clock=clock,
    )
    return Candidate(leadership, clock, told)


async def row(app: App) -> tuple[str, int]:
    ((holder, token),) = await app.rows("SELECT holder, token FROM conservator.leader")
    return holder, token


async def recorded(one: Candidate, app: App, url: str) -> bool:
    """Whether a transaction of the leader's commits."""
    engine = create_engine(url, pool_size=1)
    try:
        async with transaction(engine, timeout=timedelta(seconds=20)) as connection:
            await connection.exec_driver_sql("UPDATE conservator.control SET paused_reason = 'x'")
            await one.leadership.confirm(connection)
    except NotLeadingError:
        return False
    else:
        return True
    finally:
        await engine.dispose()


async def test_of_many_that_ask_at_once_exactly_one_leads(app_database_url: str) -> None:
    async with app_on(app_database_url) as app, candidates(app_database_url, 12) as all_of_them:
        for turn in range(1, 6):
            await asyncio.gather(*(one.leadership.attempt() for one in all_of_them))
            leading = [one.leadership.holder for one in all_of_them if one.leadership.leads]
            assert len(leading) == 1
            assert await row(app) == (leading[0], turn)
            await app.run(EXPIRE)
            for one in all_of_them:
                one.clock.now += LONG.total_seconds()


async def test_a_lease_is_kept_under_the_same_token_and_taken_under_the_next(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app, candidates(app_database_url) as (a, b):
        assert await a.leadership.attempt()
        assert await a.leadership.attempt()
        assert not await b.leadership.attempt()
        assert await row(app) == ("a", 1)
        await app.run(EXPIRE)
        assert await b.leadership.attempt()
        assert await row(app) == ("b", 2)
        assert not await a.leadership.attempt()
        assert (a.told, b.told) == (["gained", "lost"], ["gained"])


async def test_an_own_lease_that_had_run_out_begins_a_new_term(app_database_url: str) -> None:
    async with app_on(app_database_url) as app, candidates(app_database_url) as (a, _):
        assert await a.leadership.attempt()
        await app.run(EXPIRE)
        assert await a.leadership.attempt()
        assert await row(app) == ("a", 2)
        assert a.told == ["gained", "lost", "gained"]


async def test_a_lead_that_is_laid_down_is_free_at_once(app_database_url: str) -> None:
    async with app_on(app_database_url) as app, candidates(app_database_url) as (a, b):
        assert await a.leadership.attempt()
        await b.leadership.release()
        assert not await b.leadership.attempt()
        await a.leadership.release()
        assert not a.leadership.leads
        assert await b.leadership.attempt()
        assert await row(app) == ("b", 2)
        # A stop that comes late takes nothing from whoever leads now.
        await a.leadership.release()
        assert b.leadership.leads
        assert not await a.leadership.attempt()


async def test_whoever_wrongly_believes_to_lead_lays_down_nothing_but_its_own(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app, candidates(app_database_url) as (a, b):
        await a.leadership.attempt()
        await app.run(EXPIRE)
        await b.leadership.attempt()
        assert a.leadership.leads  # it can't know
        await a.leadership.release()
        assert await app.value("SELECT lease_until > now() FROM conservator.leader")


async def test_belief_ends_with_the_local_deadline_whatever_the_database_does(
    app_database_url: str,
) -> None:
    lease = timedelta(seconds=0.5)
    async with candidates(app_database_url, lease=lease) as (a, _):
        a.leadership._clock = asyncio.get_running_loop().time
        with capture_logs() as events:
            assert await a.leadership.attempt()
            await wait_until(lambda: a.told == ["gained", "lost"])
        assert not a.leadership.leads
        assert [e["reason"] for e in events if e["event"] == "lead_lost"] == [
            "the lease was not renewed in time"
        ]


async def test_what_a_leader_of_yesterday_records_is_not_committed(app_database_url: str) -> None:
    async with app_on(app_database_url) as app, candidates(app_database_url) as (a, b):
        await a.leadership.attempt()
        assert await recorded(a, app, app_database_url)
        assert not await recorded(b, app, app_database_url)
        await app.run(EXPIRE)
        assert a.leadership.leads  # it can't know
        await app.run("UPDATE conservator.control SET paused_reason = ''")
        assert not await recorded(a, app, app_database_url)
        assert await app.value("SELECT paused_reason FROM conservator.control") == ""
        assert not a.leadership.leads


async def test_the_same_holder_in_a_later_term_is_not_the_leader_of_an_earlier_one(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app, candidates(app_database_url) as (a, _):
        await a.leadership.attempt()
        await app.run("UPDATE conservator.leader SET token = token + 1")
        assert not await recorded(a, app, app_database_url)


async def test_while_a_leader_commits_nobody_takes_the_lead_and_the_hung_one_is_thrown_out(
    app_database_url: str,
) -> None:
    lease = timedelta(seconds=6)  # a third of it is what a hung process has
    async with (
        app_on(app_database_url) as app,
        candidates(app_database_url, lease=lease) as (a, b),
    ):
        await a.leadership.attempt()
        engine = create_engine(app_database_url, pool_size=1)
        kept_out = False
        with pytest.raises(ConservatorError):
            async with transaction(engine, timeout=timedelta(minutes=1)) as connection:
                await a.leadership.confirm(connection)
                taking = asyncio.create_task(
                    app.run("UPDATE conservator.leader SET holder = 'b', token = token + 1")
                )
                async with app_on(app_database_url) as watcher:
                    await wait_until(lambda: somebody_waits(watcher))
                    assert await row(watcher) == ("a", 1)
                    kept_out = True
                    await wait_until(taking.done)
        # By the server; an assertion that fails in there would look the same from outside.
        assert kept_out
        assert taking.done()
        assert await row(app) == ("b", 2)
        await engine.dispose()
        assert not b.leadership.leads


async def somebody_waits(app: App) -> bool:
    return bool(await app.value("SELECT count(*) FROM pg_locks WHERE NOT granted"))


async def test_a_read_only_server_is_no_place_to_lead(own_server: PostgresServer) -> None:
    create_app_template(own_server)
    with cloned(own_server, APP) as url:
        async with app_on(url) as app, candidates(url) as (a, _):
            name = await app.value("SELECT current_database()")
            await app.run(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
            assert not await a.leadership.attempt()
            assert a.told == ["away"]
            async with app_on(url) as admin:
                await admin.run("SET default_transaction_read_only = off")
                await admin.run(f"ALTER DATABASE {name} RESET default_transaction_read_only")
            # The connection to the read-only server was dropped: the next one finds it writable.
            assert await a.leadership.attempt()


# The model: who holds the row, and until when, on one clock that all of them share.
Step = tuple[str, int]
STEPS = st.lists(
    st.tuples(st.sampled_from(["attempt", "release", "record", "wait"]), st.integers(0, 2)),
    max_size=25,
)


@examples(20)
@given(steps=STEPS)
def test_any_sequence_of_attempts_releases_and_waits_agrees_with_a_model(
    app_database_url: str, steps: list[Step]
) -> None:
    asyncio.run(_follow(app_database_url, steps))


async def _follow(url: str, steps: list[Step]) -> None:
    lease = LONG.total_seconds()
    async with app_on(url) as app, candidates(url, 3) as processes:
        await app.run(
            "UPDATE conservator.leader SET holder = '', token = 0, lease_until = '-infinity'"
        )
        holder, token, left = "", 0, 0.0
        for what, number in steps:
            one = processes[number]
            name = one.leadership.holder
            if what == "wait":
                seconds = lease * (number + 1) / 2  # half a lease, one, one and a half
                await app.run(
                    "UPDATE conservator.leader"
                    f" SET lease_until = lease_until - interval '{seconds} seconds'"
                )
                for each in processes:
                    each.clock.now += seconds
                left -= seconds
            elif what == "attempt":
                expected = holder == name or left <= 0
                if expected:
                    token += holder != name or left <= 0
                    holder, left = name, lease
                assert await one.leadership.attempt() is expected
            elif what == "release":
                if holder == name and left > 0:
                    left = 0.0
                await one.leadership.release()
            else:
                assert await recorded(one, app, url) is (holder == name and left > 0)
            assert await row(app) == (holder, token)
            leading = [each.leadership.holder for each in processes if each.leadership.leads]
            assert leading == ([holder] if left > 0 else [])
