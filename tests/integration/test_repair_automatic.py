"""Repairs that start by themselves: while their check fails, one after the other, and no further
than their breaker allows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from exporters.current import pending_rows
from monitor.healing.errors import RepairBreakerError
from monitor.policy.decision import Code, Verdict
from monitor.service.service import Service
from monitor.state.control import mark_breaker_open
from monitor.state.runs import RunState, get_run
from monitor.status import RepairStatus
from tests.support.app import App, app_on
from tests.support.commands import on_one_server
from tests.support.healing import make_runtime, service_settings
from tests.support.ledger_audit import counter
from tests.support.repairing import mend, plan_repair, take_back
from tests.support.services import EAGER, QUICK, running
from tests.support.waiting import wait_until

pytestmark = on_one_server

NOTES = """
CREATE TABLE notes (id bigint PRIMARY KEY, state text NOT NULL);
INSERT INTO notes SELECT n, 'fine' FROM generate_series(1, 100) AS n
"""
ODD = "UPDATE notes SET state = 'odd' WHERE id BETWEEN %(first)s AND %(last)s"


def check(name: str, state: str = "odd", **keys: object) -> dict[str, object]:
    query = f"SELECT count(*) FROM notes WHERE state = '{state}'"
    return {"name": name, "query": query, "every": "100ms", "fail": "> 0", **keys}


def repair(name: str = "odd", state: str = "odd", **keys: object) -> dict[str, object]:
    """Makes notes of a state fine again, by itself and at once."""
    return {
        "name": name,
        "check": name,
        "table": "notes",
        "find": f"SELECT id, 'fine' AS state FROM notes WHERE state = '{state}'",
        "action": "update",
        "mode": "heal",
        "cooldown": "0s",
        "breaker": {"max_rows": 50, "max_share": "50%"},
        **keys,
    }


@asynccontextmanager
async def notes_on(url: str) -> AsyncIterator[App]:
    """A gallery with notes, all of them fine."""
    async with app_on(url) as app:
        await app.plant(users=2, artworks=0)
        await app.run(NOTES)
        yield app


@asynccontextmanager
async def repairing(
    url: str, *repairs: dict[str, object], checks: object = (), **healing: object
) -> AsyncIterator[Service]:
    """A running service with these repairs, each beside a check of its name."""
    own = checks or [check(str(one["name"]), str(one["name"])) for one in repairs]
    settings = await service_settings(
        url,
        repairs=list(repairs),
        checks={**QUICK, "sql": own},
        healing={**EAGER, "mode": "observe", **healing},
    )
    async with running(Service(settings)) as service:
        yield service


def shown(service: Service, name: str = "odd") -> RepairStatus:
    return service.board.current.repairs[name]


def decided(service: Service, code: Code, name: str = "odd") -> Callable[[], bool]:
    def is_so() -> bool:
        decision = shown(service, name).decision
        return decision is not None and decision.code is code

    return is_so


async def odd_ones(app: App, state: str = "odd") -> int:
    found = await app.value("SELECT count(*) FROM notes WHERE state = %(state)s", state=state)
    return int(found)


async def runs(app: App) -> list[tuple[str, str, str, int]]:
    return await app.rows(
        "SELECT repair, trigger, state, inserted FROM conservator.run ORDER BY id"
    )


async def checked_again(app: App, name: str = "odd", times: int = 3) -> None:
    """The check has run so many times more."""
    ask = "SELECT count(*) FROM conservator.check_result WHERE name = %(name)s"
    seen = await app.value(ask, name=name)

    async def has() -> bool:
        return bool(await app.value(ask, name=name) >= seen + times)

    await wait_until(has)


@pytest.mark.long
async def test_what_a_check_finds_is_mended_verified_and_checked_again(
    app_database_url: str,
) -> None:
    async with notes_on(app_database_url) as app:
        # Hours until the check runs by the clock: the repair itself has it run again.
        rare = check("odd", every="1h")
        async with repairing(app_database_url, repair(), checks=[rare]) as service:
            await wait_until(decided(service, Code.CLEAN))
            await app.run(ODD, first=1, last=7)
            service._scheduler.wake("odd")
            await wait_until(lambda: service.board.current.checks["odd"].value == 7)
            await wait_until(lambda: service.board.current.checks["odd"].value == 0)
            await wait_until(decided(service, Code.CLEAN))
            assert await runs(app) == [("odd", "schedule", "succeeded", 7)]
            status = service.board.current
            assert pending_rows(status, shown(service), shown(service).counted_monotonic or 0) == 0
        assert await odd_ones(app) == 0
        assert await counter(app, "repair_rows") == 7
        assert await counter(app, "repair_runs") == 1
        kept = await app.rows(
            "SELECT code FROM conservator.repair_decision WHERE repair = 'odd' ORDER BY id"
        )
        assert (Code.CHECK_FAILS,) in kept
        assert kept[-1] == (Code.CLEAN,)


async def test_observe_reports_and_a_warning_starts_nothing(app_database_url: str) -> None:
    warns = check("warned", "warned", warn="> 0", fail="> 90")
    async with notes_on(app_database_url) as app:
        await app.run(ODD, first=1, last=7)
        await app.run("UPDATE notes SET state = 'warned' WHERE id > 95")
        both = [repair(mode="observe"), repair("warned", "warned")]
        async with repairing(app_database_url, *both, checks=[check("odd"), warns]) as service:
            await wait_until(decided(service, Code.OBSERVE))
            await wait_until(decided(service, Code.CLEAN, "warned"))
            await checked_again(app)
            await checked_again(app, "warned")
            assert decided(service, Code.OBSERVE)()
            assert "names 7 rows" in shown(service).decision.reason  # type: ignore[union-attr]
            assert shown(service, "warned").count.named == 5  # type: ignore[union-attr]
        assert await runs(app) == []
        assert await odd_ones(app) == 7


async def test_repairs_that_are_due_at_once_take_turns_in_the_order_of_the_configuration(
    app_database_url: str,
) -> None:
    async with notes_on(app_database_url) as app:
        await app.run("UPDATE notes SET state = (ARRAY['a', 'b', 'c'])[id % 3 + 1] WHERE id <= 9")
        any_of = {**check("any"), "query": "SELECT count(*) FROM notes WHERE state <> 'fine'"}
        three = [repair(one, one, check="any", max_rows_per_run=1) for one in ("a", "b", "c")]
        async with repairing(app_database_url, *three, checks=[any_of]):

            async def all_fine() -> bool:
                return int(await app.value(str(any_of["query"]))) == 0

            await wait_until(all_fine)
        assert [name for name, *_ in await runs(app)] == ["a", "b", "c"] * 3


@pytest.mark.parametrize(
    ("find", "says"),
    [
        (
            "SELECT id, 'fine' AS state FROM notes, generate_series(1, 2) WHERE state = 'odd'",
            "once",
        ),
        ("SELECT nullif(id, 3) AS id, 'fine' AS state FROM notes WHERE state = 'odd'", "NULL"),
        ("SELECT id / (id - 3) * id AS id, 'fine' AS state FROM notes WHERE state = 'odd'", "zero"),
    ],
)
async def test_what_could_not_be_planned_is_told_as_such_and_never_as_zero_rows(
    app_database_url: str, find: str, says: str
) -> None:
    async with notes_on(app_database_url) as app:
        await app.run(ODD, first=1, last=7)
        broken = repair(find=find, cooldown="1h")
        async with repairing(app_database_url, broken) as service:
            await wait_until(decided(service, Code.NOT_PLANNED))
            await checked_again(app)
            one = shown(service)
            assert one.decision is not None
            assert one.decision.kind is Verdict.ERROR
            assert says in one.decision.reason
            now = one.counted_monotonic or 0
            assert pending_rows(service.board.current, one, now) is None
        assert await counter(app, "repair_plan_errors") == 1
        assert await runs(app) == []
        assert await odd_ones(app) == 7


async def test_its_breaker_stops_everybody_until_a_person_has_accepted_what_it_names(
    app_database_url: str,
) -> None:
    async with notes_on(app_database_url) as app:
        await app.run(ODD, first=1, last=60)
        async with repairing(app_database_url, repair()) as service:
            await wait_until(decided(service, Code.MAX_ROWS))
            await wait_until(lambda: shown(service).own.breaker_open)
            with pytest.raises(RepairBreakerError):
                await service.commands.mend("odd")
            # It is open although there is little by now.
            await app.run("UPDATE notes SET state = 'fine' WHERE id <= 55")
            await checked_again(app)
            assert decided(service, Code.MAX_ROWS)()
            await app.run(ODD, first=1, last=60)
            await checked_again(app)
            await wait_until(lambda: shown(service).count.named == 60)  # type: ignore[union-attr]
            done = await service.commands.reset_repair_breaker("odd")
            assert (done.was_open, done.code, done.accepted_rows) == (True, "max_rows", 60)
            await wait_until(decided(service, Code.CLEAN))
            await wait_until(lambda: shown(service).own.accepted_rows is None)
        assert await runs(app) == [("odd", "schedule", "succeeded", 60)]
        assert await counter(app, "repair_refusals") == 1


async def test_runs_that_change_nothing_open_its_breaker(app_database_url: str) -> None:
    refuse = """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF current_setting('application_name') = 'conservator' THEN
                RAISE EXCEPTION 'not by you' USING ERRCODE = 'check_violation';
            END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER refuse BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION refuse()
    """
    async with notes_on(app_database_url) as app:
        await app.run(ODD, first=1, last=2)
        await app.run(refuse)
        async with repairing(app_database_url, repair()) as service:
            await wait_until(decided(service, Code.STUCK))
        assert await runs(app) == [("odd", "schedule", "partial", 0)] * 3


async def test_an_undo_gives_the_rows_back_and_suspends_it_until_somebody_resumes(
    app_database_url: str,
) -> None:
    async with notes_on(app_database_url) as app:
        await app.run(ODD, first=1, last=7)
        first = await app.fingerprint("notes")
        async with repairing(app_database_url, repair()) as service:
            await wait_until(decided(service, Code.CLEAN))
            (run_id,) = [row for (row,) in await app.rows("SELECT id FROM conservator.run")]
            assert await service.commands.undo(run_id) is not None
            await wait_until(decided(service, Code.SUSPENDED))
            assert await app.fingerprint("notes") == first
            assert f"run {run_id} was taken back" in shown(service).decision.reason  # type: ignore[union-attr]
            assert await service.commands.resume_repair("odd")
            await wait_until(decided(service, Code.CLEAN))
        assert [state for *_, state, _ in await runs(app)] == ["succeeded"] * 3


async def test_a_run_that_was_left_ends_where_the_repair_may_not_go_on(
    app_database_url: str,
) -> None:
    async with notes_on(app_database_url) as app:
        await app.run(ODD, first=1, last=7)
        observing = repair(mode="observe")
        async with make_runtime(
            app_database_url, repairs=[observing], checks={"sql": [check("odd")]}
        ) as runtime:
            await plan_repair(runtime, "odd")
            await app.run("UPDATE conservator.run SET state = 'held', trigger = 'schedule'")
        async with repairing(app_database_url, observing) as service:
            await wait_until(decided(service, Code.OBSERVE))

            async def has_ended() -> bool:
                return [state for _, _, state, _ in await runs(app)] == [RunState.PARTIAL]

            await wait_until(has_ended)
        assert await odd_ones(app) == 7


async def test_an_automatic_run_writes_in_its_window_only_and_a_persons_at_any_hour(
    app_database_url: str,
) -> None:
    now = datetime.now(UTC)
    begins, ends = now + timedelta(hours=2), now + timedelta(hours=3)
    closed = repair(window=f"{begins:%H:%M}-{ends:%H:%M}")
    sql = {"sql": [check("odd")]}
    async with notes_on(app_database_url) as app:
        await app.run(ODD, first=1, last=7)
        async with make_runtime(app_database_url, repairs=[closed], checks=sql) as runtime:
            tools, run = await plan_repair(runtime, "odd")
            assert run is not None
            await app.run("UPDATE conservator.run SET trigger = 'schedule'")
            async with runtime.transaction() as connection:
                automatic = await get_run(connection, runtime.state, run.id)
            assert automatic is not None
            held = await tools.executor(lambda _: None).work(automatic)
            assert held.run.state is RunState.HELD
            assert "the window for repair odd is" in held.run.outcome
        async with repairing(app_database_url, closed) as service:
            await wait_until(decided(service, Code.WINDOW))
            assert await service.commands.mend("odd") is not None
            await wait_until(decided(service, Code.CLEAN))
        assert await runs(app) == [
            ("odd", "schedule", "partial", 0),
            ("odd", "api", "succeeded", 7),
        ]


async def test_a_pause_and_the_breaker_of_healing_stop_it(app_database_url: str) -> None:
    async with notes_on(app_database_url) as app:
        async with repairing(app_database_url, repair()) as service:
            await wait_until(decided(service, Code.CLEAN))
            await service.commands.pause("release day")
            await app.run(ODD, first=1, last=7)
            await wait_until(decided(service, Code.PAUSED))
            runtime = service.runtime
            async with runtime.transaction() as connection:
                await mark_breaker_open(connection, runtime.state, code="loss", reason="Gone.")
            await service.commands.resume()
            await wait_until(decided(service, Code.HEALING_BREAKER))
            await checked_again(app)
            assert await runs(app) == []
            await service.commands.reset_breaker()
            await wait_until(decided(service, Code.CLEAN))
        assert await runs(app) == [("odd", "schedule", "succeeded", 7)]


async def test_healing_and_repairs_take_turns(app_database_url: str) -> None:
    async with app_on(app_database_url) as app:
        await app.plant(users=5, artworks=10)
        await app.run(NOTES)
        await app.run(ODD, first=1, last=9)
        one_each = repair(max_rows_per_run=1)
        async with repairing(app_database_url, one_each, mode="heal") as service:
            await wait_until(decided(service, Code.CLEAN))
            await wait_until(lambda: service.board.current.census.legacy_untracked == 0)  # type: ignore[union-attr]
        runs = await app.rows("SELECT coalesce(repair, kind) FROM conservator.run ORDER BY id")
        kinds = [kind for (kind,) in runs]
        assert kinds.count("odd") == 9
        assert "heal" in kinds
        assert "heal" in kinds[:4], kinds


async def test_a_follower_shows_what_the_leader_decided_and_may_start_it(
    app_database_url: str,
) -> None:
    async with notes_on(app_database_url) as app:
        await app.run(ODD, first=1, last=7)
        observing = repair(mode="observe")
        async with (
            repairing(app_database_url, observing) as leader,
            repairing(app_database_url, observing) as follower,
        ):
            await wait_until(decided(leader, Code.OBSERVE))
            await wait_until(decided(follower, Code.OBSERVE))
            assert not follower.board.current.leader
            assert shown(follower).count == shown(leader).count
            assert await follower.commands.mend("odd") is not None
            await wait_until(decided(leader, Code.CLEAN))
            await wait_until(decided(follower, Code.CLEAN))
        assert await runs(app) == [("odd", "api", "succeeded", 7)]


async def test_a_plan_by_hand_that_is_too_large_opens_the_breaker_for_everybody(
    app_database_url: str,
) -> None:
    some = repair(mode="observe")
    async with notes_on(app_database_url) as app:
        await app.run(ODD, first=1, last=60)
        async with make_runtime(
            app_database_url, repairs=[some], checks={"sql": [check("odd")]}
        ) as runtime:
            done = await mend(runtime, "odd", beyond_breaker=True)
            assert done.run.inserted == 60
            assert (await take_back(runtime, done.run.id)) is not None
        async with repairing(app_database_url, some) as service:
            with pytest.raises(RepairBreakerError):
                await service.commands.mend("odd")
            await wait_until(lambda: shown(service).own.breaker_open)
            would = await service.commands.would_mend("odd")
            assert (would.named, would.keys[0]) == (60, {"id": 1})
            assert would.refused


async def test_a_find_that_ends_its_session_stops_no_other_repair(app_database_url: str) -> None:
    ends = """
    CREATE FUNCTION ends() RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
        PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(9); RETURN 'x'; END $$
    """
    find = "SELECT id, ends() AS state FROM notes WHERE state = 'last'"

    async with notes_on(app_database_url) as app:
        await app.run(ends)
        await app.run(
            "UPDATE notes SET state = CASE WHEN id > 95 THEN 'last' ELSE 'odd' END WHERE id > 90"
        )

        async def mended() -> bool:
            return await odd_ones(app) == 0

        async with repairing(app_database_url, repair("last", find=find), repair()) as service:
            await wait_until(mended)
            await wait_until(decided(service, Code.NOT_PLANNED, "last"))
            count = shown(service, "last").count
            assert count is not None and "`find` ends its session" in str(count.error)
            assert service.board.current.database_up
