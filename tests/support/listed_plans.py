"""Plans from a list of what is missing, held against plans that count everything: over random
tables of any configuration, with what the app writes meanwhile."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.affected import count_affected_users
from checks.census import Census, CensusForm, take_census
from checks.spec import Cutoffs
from monitor.database import database_now, snapshot
from monitor.healing.missing import MissingPair, MissingPairs, list_missing
from monitor.healing.planner import Occasion, Planned
from monitor.runtime import Runtime
from monitor.state.control import read_control
from monitor.state.runs import Trigger
from tests.support.any_shape import shape_runtime
from tests.support.app import app_on
from tests.support.healed_catalogues import Stage, set_up, settings_of, writable, write_once
from tests.support.healing import UNLIMITED
from tests.support.random_catalogues import PEOPLE, PIECES
from tests.support.readings import READINGS, read_few

_RUN = """
SELECT planned_users, planned_rows, recurring, aside, legacy_before
FROM conservator.run ORDER BY id DESC LIMIT 1
"""
_WORK = """
SELECT position, user_id::text, found, planned FROM conservator.work
WHERE run_id = (SELECT max(id) FROM conservator.run) ORDER BY position
"""
_NOTHING = """
TRUNCATE conservator.tally_user, conservator.quarantine;
UPDATE conservator.control SET verified_until = NULL, verified_at = NULL
"""
_VERIFIED = """
UPDATE conservator.control SET verified_until = now() - %(until)s::interval,
    verified_at = now() - %(at)s::interval
"""
_TALLY = """
INSERT INTO conservator.tally_user (user_id, taken_at, impressions)
VALUES (%(user)s, now() - %(ago)s::interval, %(impressions)s) ON CONFLICT DO NOTHING
"""
_PUT_ASIDE = """
INSERT INTO conservator.quarantine
    (user_id, artwork_id, run_id, error, first_at, last_at, retry_at)
VALUES (%(user)s, %(artwork)s, 0, 'no', now(), now(), now() + %(later)s::interval)
ON CONFLICT DO NOTHING
"""
_FORGET = """
DELETE FROM conservator.work; DELETE FROM conservator.run WHERE state = 'running'
"""
_WAITS = """
SELECT user_id::text, artwork_id::text FROM conservator.quarantine WHERE retry_at > now()
"""
_ROUNDS = 4
_AGO = ["0 seconds", "1 day", "2 days", "3 days"]
_WRITTEN = """
SELECT user_id::text, artwork_id::text FROM conservator.backfilled_impression
WHERE run_id = %(run)s
"""


async def listing(runtime: Runtime) -> Occasion:
    """What a pass of the loop makes of a census now."""
    pools = runtime.settings.pools_spec()
    async with snapshot(runtime.engine, timeout=timedelta(seconds=30)) as connection:
        found = await _census_in(connection, runtime)
        cutoffs = Cutoffs.at(found.as_of, pools)
        users = await count_affected_users(connection, runtime.catalogue, pools, cutoffs, found)
        asked = (await read_control(connection, runtime.state), found.as_of)
        listed = await list_missing(connection, runtime.healing, found, *asked, users=users)
    return Occasion(0, listed)


async def census_of(runtime: Runtime) -> Census:
    """Of everything, now."""
    async with snapshot(runtime.engine, timeout=timedelta(seconds=30)) as connection:
        return await _census_in(connection, runtime)


async def _census_in(connection: AsyncConnection, runtime: Runtime) -> Census:
    pools = runtime.settings.pools_spec()
    control = await read_control(connection, runtime.state)
    return await take_census(
        connection,
        runtime.catalogue,
        pools,
        Cutoffs.at(await database_now(connection), pools),
        verified_until=control.verified_until,
    )


async def planned_for(
    runtime: Runtime, occasion: Occasion | None, *, max_rows: int = UNLIMITED
) -> Planned:
    """A plan as the loop makes it."""
    return await runtime.planner.plan_audience(
        runtime.run_owner(Trigger.SCHEDULE),
        reason="a test",
        max_rows=max_rows,
        guard=lambda _census, _control: None,
        occasion=occasion,
    )


def bare(census: Census) -> Census:
    """Without what is no count."""
    named = None if census.incomplete is None else tuple(sorted(census.incomplete))
    return replace(
        census,
        as_of=datetime(2000, 1, 1, tzinfo=UTC),
        form=CensusForm.BY_PAIR,
        duration_seconds=0.0,
        incomplete=named,
        young_tracked=None,
    )


@dataclass(frozen=True)
class Plan:
    """What a plan said and wrote down; `run` is None where there was nothing to write."""

    census: Census
    run: tuple[Any, ...] | None
    work: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Compared:
    """How much there was to compare."""

    pairs: int = 0
    aside: int = 0
    recurring: int = 0
    gone: int = 0
    """Pairs of lists that were seen, or gone, by the time of their plan."""
    written: int = 0

    def __add__(self, other: Compared) -> Compared:
        return Compared(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


async def compare_plans(url: str, seed: int, patch: pytest.MonkeyPatch) -> Compared:
    """Plan what is missing from a list and by counting, and let the app write between the list and
    the plan, and between the plan and its batches. Raises AssertionError where the plans differ, or
    where something is written that was none of the plan's, or was seen meanwhile."""
    chance = random.Random(seed)
    async with app_on(url) as app:
        shape = await set_up(app, chance, leaves=seed % 4 < 2, wide=seed % 2 == 0)
        async with shape_runtime(url, **settings_of(shape)) as runtime:
            play = _Play(Stage(app, runtime, shape), chance)
            read_few(patch, chance.choice(READINGS))
            await play.at.heal()
            return sum([await play.compare() for _ in range(_ROUNDS)], Compared())


@dataclass(frozen=True)
class _Play:
    at: Stage
    chance: random.Random

    async def compare(self) -> Compared:
        """Something is lost, listed, planned and healed."""
        await self.lose_and_remember()
        rows = self.chance.choice([1, 3, UNLIMITED, UNLIMITED])
        occasion = await listing(self.at.runtime)
        listed = occasion.missing
        if listed is None:
            # It is not known of which artworks.
            return Compared()
        assert await self.plan(occasion, rows) == await self.plan(None, rows)
        await self.write(listed)
        gone = await self.plan_what_is_left(listed, rows)
        written = await self.work(occasion)
        return Compared(len(listed.pairs), listed.aside, listed.recurring, gone, written)

    async def lose_and_remember(self) -> None:
        """Some impressions go, or count no more. Random records of ours: what was verified, who was
        enrolled then, what is put aside."""
        pick, run = self.chance.choice, self.at.app.run
        for _ in range(pick([4, 12])):
            await self._write_once(self._any_pair(), loses=True)
        await run(_NOTHING)
        if self.chance.random() < 0.9:
            await run(_VERIFIED, until=pick(["7 days", "12 days", "31 days"]), at=pick(_AGO))
        for user in range(1, PEOPLE + 1):
            for ago in self.chance.sample(_AGO, self.chance.randint(1, 3)):
                await run(_TALLY, user=user, ago=ago, impressions=pick([None, 0, 3, 3]))
        for _ in range(self.chance.choice([0, 4, 12])):
            user, artwork = self._any_pair()
            later = pick(["-1 hour", "1 hour"])
            await run(_PUT_ASIDE, user=user, artwork=artwork, later=later)

    async def write(self, listed: MissingPairs) -> None:
        """The app goes on for a moment, half of the time about pairs that are listed."""
        for _ in range(self.chance.choice([0, 5, 25])):
            one = self.chance.choice([*listed.pairs, None, None]) if listed.pairs else None
            await self._write_once(
                self._any_pair() if one is None else (int(one.user_id), int(one.artwork_id))
            )

    async def _write_once(self, pair: tuple[int, int], *, loses: bool = False) -> None:
        await write_once(self.at.app, self.at.shape, self.chance, pair, loses=loses)

    def _any_pair(self) -> tuple[int, int]:
        return self.chance.randint(1, PEOPLE), self.chance.randint(1, PIECES)

    async def plan(self, occasion: Occasion | None, rows: int) -> Plan:
        """A plan, and nothing left of it; without an occasion, by counting everything."""
        app = self.at.app
        with pytest.MonkeyPatch.context() as patch:
            if occasion is None:
                patch.setattr("monitor.healing.missing.MOST_NAMED", -1)
                patch.setattr("monitor.healing.planner.incomplete_few", lambda *_: None)
            planned = await planned_for(self.at.runtime, occasion, max_rows=rows)
        run = None if planned.run is None else (await app.rows(_RUN))[0]
        work = () if run is None else tuple(await app.rows(_WORK))
        await app.run(_FORGET)
        return Plan(bare(planned.census), run, work)

    async def plan_what_is_left(self, listed: MissingPairs, rows: int) -> int:
        """After the app has written: of the listed pairs, those that are legacy still."""
        plan = await self.plan(Occasion(0, listed), rows)
        found = await self.at.right()
        if found.census.audience != listed.found.audience:
            assert plan == await self.plan(None, rows)
            return 0
        legacy = set(found.legacy)
        left = [pair for pair in listed.pairs if _pair(pair) in legacy]
        assert plan.census.legacy_untracked == len(left)
        assert set(plan.census.incomplete or ()) == {pair.artwork_id for pair in left}
        # What is left alone depends on what was written meanwhile.
        writable = await self._writable()
        expected = Counter(pair[0] for pair in map(_pair, left) if pair in writable)
        work, left_over = [], rows
        for position, user in enumerate(sorted(expected, key=int), start=1):
            if left_over > 0:
                work.append((position, user, expected[user], min(expected[user], left_over)))
            left_over -= expected[user]
        assert plan.work == tuple(work)
        assert plan.run is None or plan.run[3] == len(left) - expected.total()
        return len(listed.pairs) - len(left)

    async def work(self, occasion: Occasion) -> int:
        """A run that was planned from the list, after the app has written once more."""
        planned = await planned_for(self.at.runtime, occasion)
        if planned.run is None:
            return 0
        users = {user for _, user, _, _ in await self.at.app.rows(_WORK)}
        assert occasion.missing is not None
        listed = await self._writable() & set(map(_pair, occasion.missing.pairs))
        await self.write(occasion.missing)
        theirs = {pair for pair in await self._writable() if pair[0] in users}
        await self.at.runtime.executor(lambda _: None).work(planned.run)
        written = await self.at.app.rows(_WRITTEN, run=planned.run.id)
        assert len(written) == len(set(written))
        assert set(written) <= theirs
        # Where nothing vanished meanwhile that the plan did not know of, it is all written.
        if theirs <= listed:
            assert set(written) == theirs
        return len(written)

    async def _writable(self) -> set[tuple[str, str]]:
        """What an automatic run has to write now."""
        waits = set(await self.at.app.rows(_WAITS))
        return set(writable(self.at.shape, await self.at.right())) - waits


def _pair(one: MissingPair) -> tuple[str, str]:
    return one.user_id, one.artwork_id
