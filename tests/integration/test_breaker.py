"""The breaker in the running service: what opens it, what it stops, and how a person closes it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from monitor.database import transaction
from monitor.healing.errors import HealRefusedError
from monitor.policy.decision import Code
from monitor.service.service import Service
from monitor.state.control import Control, mark_breaker_open
from monitor.state.runs import Trigger
from tests.support.app import App, app_on
from tests.support.commands import on_one_server
from tests.support.healing import heal_until, make_runtime, plan, working
from tests.support.ledger_audit import assert_records_agree, counter
from tests.support.services import decided, has_censuses, is_clean, service_on
from tests.support.waiting import wait_until

pytestmark = [on_one_server, pytest.mark.prepared]

CAREFUL = {"max_share": "50%", "max_tracked_drop": "10%", "stuck_after": 3}
SEE_ALL = """
INSERT INTO user_art_impressions (user_id, artwork_id)
SELECT u.id, a.id FROM users AS u CROSS JOIN art_sessions AS a ON CONFLICT DO NOTHING
"""
VISIT = """
INSERT INTO user_art_impressions (user_id, artwork_id)
SELECT id, 'fresh0001' FROM users ORDER BY id LIMIT 3
"""
# What is written by us is gone before anybody could see it.
SWALLOW = """
CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF current_setting('application_name') = 'conservator' THEN RETURN NULL; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER swallow BEFORE INSERT ON user_art_impressions
    FOR EACH ROW EXECUTE FUNCTION swallow()
"""


async def healthy(app: App, *, users: int = 10, artworks: int = 14) -> None:
    """Everybody has seen everything."""
    await app.plant(users=users, artworks=artworks, untracked=0)
    await app.run(SEE_ALL)


def breaker(service: Service) -> Control:
    return service.board.current.control


def is_open(service: Service) -> Callable[[], bool]:
    return lambda: breaker(service).breaker_open


async def more_censuses(app: App, service: Service, number: int = 3) -> None:
    """So many passes go by."""
    seen = await app.value("SELECT count(*) FROM conservator.census")
    await wait_until(lambda: has_censuses(app, seen + number))
    assert service.board.current.database_up


async def tallied(app: App) -> bool:
    return bool(await app.value("SELECT count(*) > 0 FROM conservator.tally_user"))


@pytest.mark.parametrize("mode", ["heal", "observe"])
async def test_a_truncated_table_opens_it_and_nothing_is_written(
    app_database_url: str, mode: str
) -> None:
    async with app_on(app_database_url) as app:
        await healthy(app)
        with capture_logs() as logs:
            async with service_on(app_database_url, mode=mode, breaker=CAREFUL) as service:
                await wait_until(lambda: is_clean(service))
                await wait_until(lambda: tallied(app))
                await app.run("TRUNCATE user_art_impressions")
                await wait_until(decided(service, Code.LOSS))
                assert (
                    "200 of 200 impressions (100.0%) have vanished"
                    in breaker(service).breaker_reason
                )
                # Visitors come back, and to them every old artwork is new.
                await app.run(VISIT)
                await more_censuses(app, service)
                assert decided(service, Code.LOSS)()
                assert service.board.current.census is not None
                assert service.board.current.census.legacy_untracked > 0
                assert await counter(app, "heal_refusals") >= 3
        assert len([line for line in logs if line["event"] == "breaker_opened"]) == 1
        assert await app.value("SELECT count(*) FROM user_art_impressions") == 3
        assert await app.value("SELECT count(*) FROM conservator.run") == 0


async def test_it_stays_open_across_a_restart_and_refuses_whoever_asks(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await healthy(app)
        async with service_on(app_database_url, breaker=CAREFUL) as service:
            await wait_until(lambda: tallied(app))
        await app.run("TRUNCATE user_art_impressions")
        async with service_on(app_database_url, breaker=CAREFUL) as service:
            # Lost while nobody looked: the tallies of the day before are still there.
            await wait_until(is_open(service))
            since = breaker(service).breaker_at
        await app.run(VISIT)
        async with service_on(app_database_url, breaker=CAREFUL) as service:
            await wait_until(decided(service, Code.LOSS))
            assert breaker(service).breaker_at == since
            with pytest.raises(HealRefusedError, match="have vanished") as refused:
                await service.commands.backfill_all()
            assert refused.value.code == "breaker_open"
            with pytest.raises(HealRefusedError, match="have vanished"):
                await service.commands.backfill_user("u0001", force=False)
        assert await app.value("SELECT count(*) FROM conservator.run") == 0


async def test_deleting_a_third_of_the_artworks_and_then_of_the_users_opens_nothing(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await healthy(app)
        async with service_on(app_database_url, breaker=CAREFUL) as service:
            await wait_until(lambda: tallied(app))
            for table in ("art_sessions", "users"):
                await app.run(f"DELETE FROM {table} WHERE hashtext(id) % 3 = 0")
                await more_censuses(app, service)
            assert not breaker(service).breaker_open
            assert decided(service, Code.CLEAN)()


async def test_an_accepted_share_heals_by_itself_and_a_new_excess_opens_it_again(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await app.plant(users=4, artworks=50)
        async with service_on(app_database_url, breaker=CAREFUL) as service:
            await wait_until(decided(service, Code.MAX_SHARE))
            done = await service.commands.reset_breaker()
            assert (done.was_open, done.code) == (True, "max_share")
            assert done.accepted_share == pytest.approx(200 / (4 * 56))
            await wait_until(lambda: is_clean(service))
            await wait_until(lambda: breaker(service).accepted_share is None)
            assert (await service.commands.reset_breaker()).was_open is False
            await app.run(
                "INSERT INTO art_sessions (id, session_id, image_url, created_at)"
                " SELECT 'import' || n, 's', '/', now() - interval '60 days'"
                " FROM generate_series(1, 100) AS n"
            )
            await wait_until(decided(service, Code.MAX_SHARE))
            await wait_until(is_open(service))
        await assert_records_agree(app)
        assert await app.value("SELECT sum(inserted) FROM conservator.run") == 200


async def test_runs_that_change_nothing_open_it_and_no_further_one_begins(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await healthy(app)
        await app.run("DELETE FROM user_art_impressions WHERE artwork_id = 'old0001'")
        await app.run(SWALLOW)
        async with service_on(app_database_url, breaker=CAREFUL) as service:
            await wait_until(decided(service, Code.STUCK))
            await more_censuses(app, service)
            assert await app.value("SELECT count(*) FROM conservator.run") == 3
            assert "The last 3 heal runs (1, 2, 3)" in breaker(service).breaker_reason
            await app.run("DROP TRIGGER swallow ON user_art_impressions")
            await service.commands.reset_breaker()
            await wait_until(lambda: is_clean(service))
            assert await app.value("SELECT count(*) FROM conservator.run") == 4


async def test_a_run_that_it_held_waits_for_a_person_and_then_goes_on(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app:
        await app.plant(users=10, artworks=10)
        async with make_runtime(
            app_database_url, healing={"pace": {"max_batch": 10}, "breaker": CAREFUL}
        ) as runtime:
            run = await plan(runtime)
            await heal_until(runtime, run, batches=2)
            async with transaction(runtime.engine, timeout=runtime.settings.lease) as c:
                await mark_breaker_open(c, runtime.state, code="loss", reason="A test.")
        async with service_on(app_database_url) as service:
            await wait_until(decided(service, Code.LOSS))
            await more_censuses(app, service)
            assert await app.value("SELECT state FROM conservator.run") == "held"
            assert await app.value("SELECT inserted FROM conservator.run") == 20
            await service.commands.reset_breaker()
            await wait_until(lambda: is_clean(service))
        assert await app.value("SELECT inserted FROM conservator.run") == 100
        await assert_records_agree(app)


async def test_a_breaker_that_opens_holds_the_run_under_way(app_database_url: str) -> None:
    async with app_on(app_database_url) as app:
        await app.plant(users=10, artworks=10)
        async with make_runtime(app_database_url, healing={"pace": {"max_batch": 10}}) as runtime:
            run = await plan(runtime)
            async with transaction(runtime.engine, timeout=runtime.settings.lease) as c:
                await mark_breaker_open(c, runtime.state, code="loss", reason="A test.")
            held = await working(runtime, run)
            assert (held.run.state.value, held.run.inserted) == ("held", 0)
            with pytest.raises(HealRefusedError, match=r"A test\."):
                await runtime.planner.plan_user(
                    runtime.run_owner(Trigger.API), "u0001", reason="a test", force=True
                )
            assert "A test." in held.run.outcome
            beyond = await runtime.resume(run.id, beyond_breaker=True)
            assert beyond is not None
            assert beyond.beyond_breaker
            ended = await working(runtime, beyond)
            assert (ended.run.state.value, ended.run.inserted) == ("succeeded", 100)


async def test_a_tally_that_fails_holds_a_heal_back_until_it_succeeds(
    app_database_url: str,
) -> None:
    async with app_on(app_database_url) as app, service_on(app_database_url) as service:
        await wait_until(lambda: is_clean(service))
        await app.run("ALTER TABLE conservator.tally_user RENAME TO elsewhere")
        await app.plant(users=3, artworks=5)
        await wait_until(decided(service, Code.TALLY_FAILED))
        decision = service.board.current.decision
        assert decision is not None
        assert "does not exist" in decision.reason
        await more_censuses(app, service)
        assert await app.value("SELECT count(*) FROM conservator.run") == 0
        await app.run("ALTER TABLE conservator.elsewhere RENAME TO tally_user")
        await wait_until(lambda: bool(service.board.current.counters.get(("heal_runs", ""))))
        await wait_until(lambda: is_clean(service))
