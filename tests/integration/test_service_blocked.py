"""The service where healing is blocked from the start, or from later on: it counts and refuses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from checks.doctor import rules
from checks.doctor.findings import Finding
from checks.doctor.input import DoctorInput
from checks.errors import CatalogueError
from checks.judgement import Outcome
from checks.row_security import HEALER
from exporters.http.health import not_ready_because
from monitor.healing.errors import HealRefusedError
from monitor.policy.decision import Code
from monitor.service.service import Service
from monitor.state.runs import Trigger
from monitor.status import STRUCTURE
from tests.support.app import App, app_on
from tests.support.builders import a_suspicion
from tests.support.commands import on_one_server
from tests.support.healing import heal_until, make_runtime, make_settings, paced, plan
from tests.support.roles import as_service, prepare_for_service
from tests.support.services import EAGER, decided, is_clean, running, sees
from tests.support.waiting import wait_until

pytestmark = [on_one_server, pytest.mark.prepared]

OFTEN = {"every": "300ms", "budget": "100%"}
CHECKS = {"census": OFTEN, "structure": {**OFTEN, "every": "1s"}}
NO_INSERT = f"REVOKE INSERT ON user_art_impressions FROM {HEALER}"
NO_DEFAULT = "ALTER TABLE user_art_impressions ALTER id DROP DEFAULT"
NO_INDEX = "DROP INDEX user_art_impressions_unique_user_artwork"
A_VIEW = f"""
ALTER TABLE user_art_impressions RENAME TO views;
CREATE VIEW user_art_impressions AS SELECT DISTINCT * FROM views;
GRANT SELECT, INSERT ON user_art_impressions TO {HEALER};
"""
OBSTACLES = {
    NO_INSERT: "may not insert user_id, artwork_id, viewed_at",
    NO_DEFAULT: "user_art_impressions.id",
    NO_INDEX: "CREATE UNIQUE INDEX",
    A_VIEW: "view",
}


COUNTED = (3, 6, 9, 12)


@asynccontextmanager
async def gallery(url: str) -> AsyncIterator[App]:
    """Twelve pairs are legacy, and the service's schema and role are there."""
    async with app_on(url) as app:
        await prepare_for_service(make_settings(url))
        await app.plant(users=3, artworks=4)
        yield app


@asynccontextmanager
async def serving(
    url: str, checks: object = CHECKS, *, accept: tuple[str, ...] = (), **healing: object
) -> AsyncIterator[Service]:
    """A service under the role that `init --print-sql` makes, with what that may do by now."""
    config = {"catalog": {"accept": accept}, "healing": {**EAGER, **healing}}
    async with running(Service(make_settings(as_service(url), checks=checks, **config))) as service:
        yield service


async def refusals(service: Service) -> list[HealRefusedError]:
    """What whoever asks for a heal is told."""
    commands, told = service.commands, []
    for asked in (commands.backfill_all(), commands.backfill_user("u0001", force=False)):
        with pytest.raises(HealRefusedError) as refused:
            await asked
        told.append(refused.value)
    return told


def counts(service: Service) -> tuple[int, ...]:
    census = service.board.current.census
    assert census is not None
    return census.counts


def reason(service: Service) -> str:
    decision = service.board.current.decision
    assert decision is not None
    return decision.reason


def suspect(patch: pytest.MonkeyPatch) -> str:
    """From now on a rule finds that nobody crosses studios; the name that accepts it."""
    finding = a_suspicion()

    def nobody_crosses(_: DoctorInput) -> Iterator[Finding]:
        yield finding

    patch.setattr(rules, "RULES", (*rules.RULES, nobody_crosses))
    assert finding.accepted_as is not None
    return finding.accepted_as


@pytest.mark.parametrize("obstacle", OBSTACLES, ids=["insert", "default", "index", "view"])
async def test_what_blocks_healing_alone_is_counted_and_never_written(
    app_database_url: str, obstacle: str
) -> None:
    async with gallery(app_database_url) as app:
        await app.run(obstacle)
        before = await app.fingerprint("user_art_impressions")
        for mode, code in (("observe", Code.OBSERVE), ("heal", Code.CATALOGUE)):
            async with serving(app_database_url, mode=mode) as service:
                await wait_until(decided(service, code))
                assert service.board.current.ready
                assert counts(service) == COUNTED
                refused = await refusals(service)
                assert {one.code for one in refused} == {"healing_blocked"}
                for told in (reason(service), *map(str, refused)):
                    assert OBSTACLES[obstacle] in told
        assert await app.fingerprint("user_art_impressions") == before
        assert await app.value("SELECT count(*) FROM conservator.run") == 0


async def test_healing_begins_as_soon_as_nothing_blocks_it_any_more(app_database_url: str) -> None:
    async with gallery(app_database_url) as app:
        await app.run(NO_INSERT)
        async with serving(app_database_url) as service:
            await wait_until(decided(service, Code.CATALOGUE))
            await app.run(f"GRANT INSERT ON user_art_impressions TO {HEALER}")
            await wait_until(lambda: is_clean(service))
        assert await app.value("SELECT count(*) FROM conservator.backfilled_impression") == 12


async def test_what_blocks_counting_ends_the_start_with_every_sentence(
    app_database_url: str,
) -> None:
    async with gallery(app_database_url) as app:
        await app.run(
            "ALTER TABLE users RENAME TO people;"
            "ALTER TABLE art_sessions RENAME COLUMN created_at TO made_at"
        )
        with pytest.raises(CatalogueError) as refused:
            async with serving(app_database_url):
                raise AssertionError
        for named in ("named users in", "has no column created_at"):
            assert named in str(refused.value)


async def test_counts_under_a_suspicion_are_published_and_nothing_leads_past_it(
    app_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = {"max_share": "1%", "max_tracked_drop": "100%"}
    name = suspect(monkeypatch)
    async with (
        gallery(app_database_url) as app,
        serving(app_database_url, breaker=limits) as service,
    ):
        await wait_until(sees(service, lambda s: s.control.breaker_open))
        await wait_until(decided(service, Code.MAX_SHARE))
        assert counts(service) == COUNTED
        status = service.board.current
        assert status.examination.suspicion_names == (name,)
        assert name in {row.get("accept") for row in status.checks[STRUCTURE].evidence}
        assert "-breaker" not in status.control.breaker_reason
        for told in (reason(service), *map(str, await refusals(service))):
            assert "12,686 impressions" in told
            assert "-breaker" not in told
        # Somebody resets it all the same: nothing is healed.
        await service.commands.reset_breaker()
        await wait_until(decided(service, Code.CATALOGUE))
        with pytest.raises(HealRefusedError, match="12,686 impressions"):
            await service.runtime.plan_audience(
                Trigger.COMMAND, reason="a test", max_rows=9, beyond_breaker=True
            )
        with pytest.raises(HealRefusedError, match="12,686 impressions"):
            await service.runtime.plan_user(
                Trigger.COMMAND, "u0001", reason="a test", force=True, beyond_breaker=True
            )
        assert await app.value("SELECT count(*) FROM conservator.run") == 0


async def test_a_run_that_was_left_waits_until_a_suspicion_is_accepted(
    app_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gallery(app_database_url) as app:
        async with make_runtime(app_database_url, **paced(max_batch=5)) as runtime:
            await heal_until(runtime, await plan(runtime), batches=1)
        left = await app.rows("SELECT state, inserted FROM conservator.run")
        assert left == [("held", 4)]
        name = suspect(monkeypatch)
        async with serving(app_database_url) as service:
            await wait_until(decided(service, Code.CATALOGUE))
            assert await app.rows("SELECT state, inserted FROM conservator.run") == left
        async with serving(app_database_url, accept=(name,)) as service:
            await wait_until(lambda: is_clean(service))
            assert service.board.current.examination.suspicions == ()
        assert await app.value("SELECT sum(inserted) FROM conservator.run") == 12


SELDOM = {"census": OFTEN, "structure": {"every": "1h", "budget": "100%"}}
"""What is told of a table that goes away is told by the census that misses it."""


async def test_a_table_that_goes_away_is_named_by_every_replica_until_it_is_back(
    app_database_url: str,
) -> None:
    async with (
        gallery(app_database_url) as app,
        serving(app_database_url, SELDOM, mode="observe") as leader,
        serving(app_database_url, SELDOM, mode="observe") as follower,
    ):
        await wait_until(sees(follower, lambda s: s.census is not None))
        assert (leader.board.current.leader, follower.board.current.leader) == (True, False)
        for name in ("users", "art_sessions", "user_art_impressions"):
            await wait_until(decided(leader, Code.OBSERVE))
            assert not_ready_because(leader.board.current) == []
            await app.run(f"ALTER TABLE {name} RENAME TO elsewhere")
            for service in (leader, follower):
                await wait_until(sees(service, lambda s: not s.ready))
                [missing] = not_ready_because(service.board.current)
                for told in (missing, *map(str, await refusals(service))):
                    assert f"finds no table or view named {name} in" in told
                with pytest.raises(CatalogueError, match=f"named {name} in"):
                    await service.commands.user_census("u0001")
            await wait_until(decided(leader, Code.CENSUS_FAILED))
            structure = leader.board.current.checks[STRUCTURE]
            assert structure.outcome is Outcome.FAIL
            assert structure.numbers["counting"] == 1
            await app.run(f"ALTER TABLE elsewhere RENAME TO {name}")
            for service in (leader, follower):
                await wait_until(sees(service, lambda s: s.ready))
        await wait_until(decided(leader, Code.OBSERVE))
        assert counts(leader) == COUNTED


async def test_a_table_that_comes_back_without_its_index_is_counted_as_it_is_then(
    app_database_url: str,
) -> None:
    async with (
        gallery(app_database_url) as app,
        serving(app_database_url, SELDOM, mode="observe") as service,
    ):
        await wait_until(decided(service, Code.OBSERVE))
        await app.run("ALTER TABLE user_art_impressions RENAME TO elsewhere")
        await wait_until(sees(service, lambda s: not s.ready))
        await app.run(
            "CREATE TABLE user_art_impressions AS SELECT e.* FROM elsewhere AS e, (VALUES (1), (2))"
            f" AS twice; GRANT SELECT ON user_art_impressions TO {HEALER}"
        )
        await wait_until(sees(service, lambda s: s.ready))
        await wait_until(decided(service, Code.OBSERVE))
        # Each pair is there twice, and counted once.
        assert counts(service) == COUNTED
