"""Many users who are backfilled at once, on a real database: each once, whole or not at all."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.errors import ConservatorError, RefusedError, UnknownUserError
from checks.pairs import take_user_census
from checks.spec import Cutoffs
from monitor.commands import UserBackfill
from monitor.database import database_now, transaction
from monitor.deadlines import GROUP_LOCK_TIMEOUT
from monitor.healing import user_backfill
from monitor.healing.errors import HealRefusedError, PausedError
from monitor.healing.user_backfill import (
    AskedUser,
    Group,
    Left,
    UserBackfillWriter,
    WrittenUser,
)
from monitor.loop.run_queue import RunQueue
from monitor.loop.user_backfills import UserBackfills
from monitor.runtime import CurrentRuntime, Runtime
from monitor.service.service import Service
from monitor.state.runs import RunState
from tests.support.app import App, app_on
from tests.support.builders import a_suspicion
from tests.support.commands import on_one_server
from tests.support.databases import APP, cloned
from tests.support.generated import examples
from tests.support.healing import make_runtime, planted, service_settings
from tests.support.ledger_audit import assert_ledger_is_there, assert_records_agree
from tests.support.postgres import PostgresServer
from tests.support.services import EAGER, running
from tests.support.undoing import undo
from tests.support.waiting import wait_until
from tests.support.writers import Writers

pytestmark = [on_one_server, pytest.mark.prepared]

AT_ONCE = 50
_BOOKS = """
SELECT r.subject, r.inserted, b.inserted, r.state, r.batches, r.planned_rows, r.remaining
FROM conservator.run AS r
JOIN conservator.backfilled_user AS b ON b.run_id = r.id AND b.user_id = r.subject
WHERE r.kind = 'user' ORDER BY r.subject
"""
_OLD = "SELECT user_id, count(*) FROM user_art_impressions WHERE artwork_id ~ '^old' GROUP BY 1"


def users(number: int) -> list[str]:
    return [f"u{n:04}" for n in range(1, number + 1)]


@pytest.fixture
def no_run_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is not backfilled with others fails the test."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a user got a run of its own")

    monkeypatch.setattr(RunQueue, "backfill_user", refuse)


@asynccontextmanager
async def service_for(url: str, **config: object) -> AsyncIterator[Service]:
    """A service that only does what it is asked for."""
    quiet = {"census": {"enabled": False}, "structure": {"enabled": False}}
    async with running(Service(await service_settings(url, checks=quiet, **config))) as service:
        yield service


async def ask(service: Service, user: str, *, force: bool = False) -> UserBackfill | str:
    """The answer, or the name of the error."""
    try:
        return await service.commands.backfill_user(user, force=force)
    except ConservatorError as error:
        return type(error).__name__


def rows_of(answers: Iterable[UserBackfill | str]) -> list[int | str]:
    """What each wrote; of a refusal its name."""
    return [one if isinstance(one, str) else one.updated for one in answers]


async def assert_everybody_once(app: App, number: int, artworks: int) -> None:
    """Everybody has every old artwork, by one run, which has ended, and one flag."""
    whole = (artworks, artworks, "succeeded", 1, artworks, 0)
    assert await app.rows(_BOOKS) == [(user, *whole) for user in users(number)]
    assert dict(await app.rows(_OLD)) == dict.fromkeys(users(number), artworks)
    assert await app.value("SELECT count(*) FROM conservator.run") == number
    await assert_records_agree(app)
    await assert_ledger_is_there(app)


@pytest.mark.usefixtures("no_run_of_its_own")
async def test_fifty_at_once_who_ask_twice_are_backfilled_once_each_in_few_transactions(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app, service_for(app_database_url) as service:
        await app.plant(users=AT_ONCE, artworks=6)
        asked = users(AT_ONCE) * 2
        answers = await asyncio.gather(*(ask(service, user) for user in asked))
        assert Counter(zip(asked, rows_of(answers), strict=True)) == dict.fromkeys(
            product(users(AT_ONCE), (0, 6)), 1
        )
        assert sum(isinstance(a, UserBackfill) and a.skipped for a in answers) == AT_ONCE
        await assert_everybody_once(app, AT_ONCE, 6)
        assert await app.value("SELECT count(DISTINCT started_at) FROM conservator.batch") <= 8
        await wait_until(lambda: service.board.current.counters.get(("heal_runs", "")) == AT_ONCE)


@pytest.mark.usefixtures("no_run_of_its_own")
async def test_two_replicas_that_are_asked_for_the_same_users_write_each_once(
    app_database_url: str,
) -> None:
    async with (
        app_on(app_database_url) as app,
        service_for(app_database_url) as one,
        service_for(app_database_url) as other,
    ):
        await app.plant(users=AT_ONCE, artworks=6)
        for_one = [ask(one, user) for user in users(AT_ONCE)]
        for_other = [ask(other, user) for user in reversed(users(AT_ONCE))]
        answers = await asyncio.gather(*for_one, *for_other)
        assert Counter(rows_of(answers)) == {6: AT_ONCE, 0: AT_ONCE}
        await assert_everybody_once(app, AT_ONCE, 6)


@pytest.mark.usefixtures("no_run_of_its_own")
async def test_who_misses_nothing_or_was_backfilled_leaves_no_trace_in_the_database(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app, service_for(app_database_url) as service:
        await app.plant(users=3, artworks=2)
        await app.run("UPDATE art_sessions SET created_at = timezone('UTC', now())")
        await ask(service, "u0001")
        nothing = UserBackfill(updated=0, run_id=None, skipped=False)
        assert await ask(service, "u0002") == nothing
        assert await ask(service, "u0003", force=True) == nothing
        with pytest.raises(UnknownUserError, match="'nobody'"):
            await service.commands.backfill_user("nobody", force=False)
        ours = (
            "SELECT count(*) FROM conservator.run",
            "SELECT count(*) FROM conservator.backfilled_user",
            "SELECT count(*) FROM conservator.batch",
        )
        assert [await app.value(statement) for statement in ours] == [0, 0, 0]


async def test_beside_a_heal_run_and_an_app_that_writes_every_pair_has_one_row_and_one_source(
    app_database_url: str,
) -> None:
    healing = {**EAGER, "pace": {"duty": "100%", "max_batch": 200}}
    settings = await service_settings(
        app_database_url, checks={"census": {"every": "200ms", "budget": "100%"}}, healing=healing
    )
    async with app_on(app_database_url) as app:
        await app.plant(users=40, artworks=30, untracked=10)
        async with (
            Writers(app_database_url, crowd=2, deletes=False),
            running(Service(settings)) as service,
        ):
            asked = users(50)
            answers = await asyncio.gather(*(ask(service, user) for user in asked))
            again = await asyncio.gather(*(ask(service, user) for user in asked))
        assert {a for a in (*answers, *again) if isinstance(a, str)} == set()
        missing = await app.value(
            "SELECT count(*) FROM users AS u CROSS JOIN art_sessions AS a"
            " WHERE u.id ~ '^u0' AND a.id ~ '^old' AND NOT EXISTS (SELECT FROM"
            " user_art_impressions WHERE user_id = u.id AND artwork_id = a.id)"
        )
        assert missing == 0
        twice = (
            "SELECT count(*) - count(DISTINCT (user_id, artwork_id))"
            " FROM conservator.backfilled_impression"
        )
        assert await app.value(twice) == 0
        flags = "SELECT sum(inserted) FROM conservator.backfilled_user"
        by_users = "SELECT sum(inserted) FROM conservator.run WHERE kind = 'user'"
        assert await app.value(flags) == await app.value(by_users) > 0
        await assert_records_agree(app)


async def test_one_row_that_is_refused_costs_the_others_nothing(app_database_url: str) -> None:
    async with app_on(app_database_url) as app, service_for(app_database_url) as service:
        await app.plant(users=8, artworks=6)
        await app.run(
            "ALTER TABLE user_art_impressions ADD CONSTRAINT poison"
            " CHECK (user_id <> 'u0003' OR artwork_id <> 'old0002') NOT VALID"
        )
        answers = await asyncio.gather(*(ask(service, user) for user in users(8)))
        assert rows_of(answers) == [5 if user == "u0003" else 6 for user in users(8)]
        aside = "SELECT user_id, artwork_id FROM conservator.quarantine"
        assert await app.rows(aside) == [("u0003", "old0002")]
        # It is nobody's work until it is due, and then a run's of its own.
        assert (await ask(service, "u0003", force=True)) == UserBackfill(0, None, skipped=False)
        await assert_records_agree(app)
        await assert_ledger_is_there(app)


async def test_somebodys_lock_on_one_pair_holds_up_no_other_user(app_database_url: str) -> None:
    async with (
        app_on(app_database_url) as app,
        app_on(app_database_url) as visitor,
        service_for(app_database_url) as service,
    ):
        await app.plant(users=8, artworks=6)
        await visitor.run("BEGIN")
        await visitor.run(
            "INSERT INTO user_art_impressions (user_id, artwork_id) VALUES ('u0003', 'old0002')"
        )
        locked = asyncio.create_task(ask(service, "u0003"))
        others = [user for user in users(8) if user != "u0003"]
        answers = await asyncio.gather(*(ask(service, user) for user in others))
        assert rows_of(answers) == [6] * 7
        assert not locked.done()
        await visitor.run("COMMIT")
        found = await locked
        assert isinstance(found, UserBackfill)
        assert found.updated == 5
        await assert_records_agree(app)
        await assert_ledger_is_there(app)


async def test_what_was_waited_in_vain_counts_as_time_of_the_group(app_database_url: str) -> None:
    async with (
        app_on(app_database_url) as app,
        app_on(app_database_url) as visitor,
        make_runtime(app_database_url) as runtime,
    ):
        await app.plant(users=3, artworks=6)
        await visitor.run("BEGIN")
        await visitor.run(
            "INSERT INTO user_art_impressions (user_id, artwork_id) VALUES ('u0003', 'old0002')"
        )
        asked = [AskedUser("u0003", force=False), AskedUser("u0001", force=False)]
        done = await runtime.user_backfills().write(asked)
        assert (done.outcomes[0], done.rows) == (Left.APART, 6)
        # By both together, and by the one that is locked.
        assert done.seconds >= 2 * GROUP_LOCK_TIMEOUT.total_seconds()
        await visitor.run("ROLLBACK")


async def test_who_misses_more_than_fits_gets_a_run_of_its_own_and_the_rest_is_written_together(
    app_database_url: str,
) -> None:
    paced = {"pace": {"max_batch": 10}}
    async with (
        app_on(app_database_url) as app,
        service_for(app_database_url, healing=paced) as service,
    ):
        await app.plant(users=6, artworks=12)
        # All but two miss six: one of them fits a transaction of ten rows, two don't.
        await app.run(
            "INSERT INTO user_art_impressions (user_id, artwork_id) SELECT u.id, a.id"
            " FROM users AS u CROSS JOIN art_sessions AS a"
            " WHERE u.id NOT IN ('u0002', 'u0005') AND a.id > 'old0006' AND a.id ~ '^old'"
        )
        answers = await asyncio.gather(*(ask(service, user) for user in users(6)))
        assert rows_of(answers) == [6, 12, 6, 6, 12, 6]
        batches = await app.rows("SELECT batches, count(*) FROM conservator.run GROUP BY 1")
        assert sorted(batches) == [(1, 4), (2, 2)]
        await assert_records_agree(app)
        await assert_ledger_is_there(app)


async def test_a_pause_in_the_middle_refuses_who_comes_after_it(app_database_url: str) -> None:
    async with app_on(app_database_url) as app, service_for(app_database_url) as service:
        await app.plant(users=AT_ONCE, artworks=6)
        first = await asyncio.gather(*(ask(service, user) for user in users(20)))
        assert set(rows_of(first)) == {6}
        await service.commands.pause("an incident")
        assert set(await asyncio.gather(*(ask(service, user) for user in users(AT_ONCE)[20:]))) == {
            PausedError.__name__
        }
        assert await app.value("SELECT count(*) FROM conservator.run") == 20
        await service.commands.resume()
        await asyncio.gather(*(ask(service, user) for user in users(AT_ONCE)))
        await assert_everybody_once(app, AT_ONCE, 6)


async def test_of_a_divided_group_who_is_written_is_told_so_and_the_others_of_the_pause(
    app_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = UserBackfillWriter.write

    async def pause_before_the_third(
        writer: UserBackfillWriter, asked: Sequence[AskedUser]
    ) -> Group:
        if [one.user_id for one in asked] == ["u0003"]:
            await app.run("UPDATE conservator.control SET paused = true, paused_reason = 'x'")
        return await write(writer, asked)

    monkeypatch.setattr(UserBackfillWriter, "write", pause_before_the_third)
    async with (
        planted(app_database_url, users=3, artworks=4) as (app, runtime),
        app_on(app_database_url) as visitor,
    ):
        await visitor.run("BEGIN")
        await visitor.run(
            "INSERT INTO user_art_impressions (user_id, artwork_id) VALUES ('u0002', 'old0001')"
        )
        asked = [AskedUser(user, force=False) for user in users(3)]
        first, second, third = (await runtime.user_backfills().write(asked)).outcomes
        assert isinstance(first, WrittenUser)
        assert (first.rows, second) == (4, Left.APART)
        assert isinstance(third, PausedError)
        assert await app.rows("SELECT subject, inserted FROM conservator.run") == [("u0001", 4)]


async def test_who_waited_is_refused_where_healing_is_blocked_by_then(
    app_database_url: str,
) -> None:
    async def nothing() -> None:
        return None

    async with planted(app_database_url, users=1, artworks=4) as (app, runtime):
        current = CurrentRuntime(runtime)
        backfills = UserBackfills(current, nothing, places=1)
        waiting = asyncio.create_task(backfills.ask("u0001", force=False))
        await asyncio.sleep(0)
        # The tables are read again before its turn comes.
        examination = replace(runtime.examination, findings=(a_suspicion(),))
        current.replace(replace(runtime, examination=examination))
        with pytest.raises(HealRefusedError):
            await waiting
        assert await app.value("SELECT count(*) FROM conservator.run") == 0


async def test_such_a_run_is_taken_back_as_any_other(app_database_url: str) -> None:
    async with planted(app_database_url, users=3, artworks=6) as (app, runtime):
        asked = [AskedUser(user, force=False) for user in users(3)]
        done = await runtime.user_backfills().write(asked)
        assert done.rows == 18
        second = done.outcomes[1]
        assert isinstance(second, WrittenUser)
        ended = await undo(runtime, second.run_id)
        assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 6)
        assert dict(await app.rows(_OLD)) == {"u0001": 6, "u0003": 6}
        flags = await app.rows("SELECT user_id FROM conservator.backfilled_user ORDER BY 1")
        assert flags == [("u0001",), ("u0003",)]


async def test_a_stop_turns_away_who_waits_and_leaves_whole_users(app_database_url: str) -> None:
    async with app_on(app_database_url) as app:
        await app.plant(users=AT_ONCE, artworks=6)
        async with service_for(app_database_url) as service:
            asked = [asyncio.create_task(ask(service, user)) for user in users(AT_ONCE)]
            await asyncio.sleep(0)
        answers = await asyncio.gather(*asked)
        written = [a for a in answers if isinstance(a, UserBackfill)]
        assert {a for a in answers if isinstance(a, str)} <= {RefusedError.__name__}
        assert await app.value("SELECT count(*) FROM conservator.run") == len(written)
        await assert_records_agree(app)
        await assert_ledger_is_there(app)


async def test_whose_flag_somebody_else_sets_at_the_same_moment_is_skipped_and_the_rest_written(
    app_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_backfill, "GROUP_LOCK_TIMEOUT", timedelta(seconds=30))
    waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"

    async def somebody_waits() -> bool:
        return bool(await app.value(waits))

    # Our own limit for locks is no shorter.
    database = {"lock_timeout": "30s"}
    async with (
        planted(app_database_url, users=3, artworks=6, database=database) as (app, runtime),
        app_on(app_database_url) as rival,
    ):
        await rival.run("BEGIN")
        await rival.run(
            "INSERT INTO conservator.backfilled_user VALUES ('u0002', 4711, 6, clock_timestamp())"
        )
        asked = [AskedUser(user, force=False) for user in users(3)]
        writing = asyncio.create_task(runtime.user_backfills().write(asked))
        await wait_until(somebody_waits)
        await rival.run("COMMIT")
        done = await writing
        assert [(o.rows, o.skipped) for o in done.outcomes if isinstance(o, WrittenUser)] == [
            (6, False),
            (0, True),
            (6, False),
        ]
        assert dict(await app.rows(_OLD)) == {"u0001": 6, "u0003": 6}
        assert await app.value("SELECT count(*) FROM conservator.run") == 2
        await assert_records_agree(app)
        await assert_ledger_is_there(app)


@pytest.fixture(scope="module")
def gallery(server: PostgresServer) -> object:
    with cloned(server, APP) as url:
        yield url


_FILL = """
TRUNCATE users, art_sessions, user_art_impressions, conservator.run, conservator.batch,
    conservator.work, conservator.backfilled_user, conservator.backfilled_impression,
    conservator.quarantine, conservator.counter, conservator.run_wait;
INSERT INTO users (id, created_at)
SELECT 'u' || n, timezone('UTC', now()) - interval '90 days' FROM generate_series(1, 6) AS n;
INSERT INTO art_sessions (id, session_id, image_url, created_at)
SELECT 'a' || n, 's', '/', timezone('UTC', now()) - n * interval '2 days'
FROM generate_series(1, 8) AS n
"""
_SEE = """
INSERT INTO user_art_impressions (user_id, artwork_id, viewed_at)
SELECT 'u' || u, 'a' || a, timezone('UTC', now())
FROM unnest(%(users)s::int[], %(artworks)s::int[]) AS seen (u, a)
"""
_FLAG = """
INSERT INTO conservator.backfilled_user (user_id, run_id, inserted, backfilled_at)
SELECT 'u' || u, 4711, 1, now() FROM unnest(%(users)s::int[]) AS u
"""
_ASIDE = """
INSERT INTO conservator.quarantine (
    user_id, artwork_id, run_id, error, first_at, last_at, retry_at
)
SELECT 'u' || u, 'a8', 1, '', now(), now(), now() + interval '1 day'
FROM unnest(%(users)s::int[]) AS u
"""


async def legacy_pairs(runtime: Runtime, user: str) -> int:
    """By the statement that counts one user."""
    pools = runtime.settings.pools_spec()
    async with transaction(runtime.engine, rows=runtime.rows) as connection:
        cutoffs = Cutoffs.at(await database_now(connection), pools)
        counted = await take_user_census(connection, runtime.catalogue, pools, cutoffs, user)
    return counted.legacy_untracked


@examples(15)
@given(
    seen=st.sets(st.tuples(st.integers(1, 6), st.integers(1, 8)), max_size=30),
    flagged=st.sets(st.integers(1, 6), max_size=3),
    aside=st.sets(st.integers(1, 6), max_size=2),
    forced=st.sets(st.integers(1, 6)),
    order=st.permutations(range(1, 8)),
    most=st.sampled_from((2, 5, 9, 2000)),
)
async def test_a_group_writes_what_each_user_misses_by_the_count_of_that_user(
    gallery: str,
    seen: set[tuple[int, int]],
    flagged: set[int],
    aside: set[int],
    forced: set[int],
    order: list[int],
    most: int,
) -> None:
    async with app_on(gallery) as app, make_runtime(gallery) as runtime:
        await app.run(_FILL)
        await app.run(_SEE, users=[u for u, _ in seen], artworks=[a for _, a in seen])
        await app.run(_FLAG, users=sorted(flagged))
        await app.run(_ASIDE, users=sorted(aside))
        missing = {f"u{n}": await legacy_pairs(runtime, f"u{n}") for n in range(1, 7)}
        writer = runtime.user_backfills()
        writer.most = most
        # The seventh is nobody.
        done = await writer.write([AskedUser(f"u{n}", n in forced) for n in order])
        room = most
        for number, outcome in zip(order, done.outcomes, strict=True):
            user, left = f"u{number}", missing.get(f"u{number}", 0)
            if number == 7:
                assert outcome is Left.UNKNOWN
            elif number in flagged and number not in forced:
                assert outcome == WrittenUser(4711, 0, skipped=True)
            elif number in aside or left > most:
                assert outcome is Left.APART
            elif left == 0:
                assert outcome is Left.NOTHING
            else:
                room -= left
                assert (outcome is Left.FULL) == (room < 0)
            wrote = outcome.rows if isinstance(outcome, WrittenUser) else 0
            assert wrote in (0, left)
            if number != 7:
                assert await legacy_pairs(runtime, user) == left - wrote
        await assert_records_agree(app)
        await assert_ledger_is_there(app)
