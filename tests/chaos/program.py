"""What a whole form is made of: boundaries, rivals and storms, on one server."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from tests.chaos import repair_storm, repairs, stage, storm, strangers
from tests.chaos.audit import Findings, has_undone, healed, healed_whole_users, undone
from tests.chaos.boundaries import every_strike, is_batch, some_strikes, split
from tests.chaos.cases import Outcome, Scenario, play, rehearse
from tests.chaos.faults import Seen
from tests.chaos.repairs import REPAIRS, RepairCase
from tests.chaos.rivals import freeze
from tests.chaos.strangers import STRANGERS
from tests.chaos.tally import Tally
from tests.support.acceptance_cases import AcceptanceCase
from tests.support.postgres import PostgresServer

Case = Callable[[], Awaitable[Outcome]]
HEAL, UNDO = ("heal", "--yes"), ("undo", "1", "--yes")
WHOLE_USERS: Mapping[str, Mapping[str, Any]] = {
    "heal together": stage.TOGETHER,
    "heal ahead": stage.AHEAD,
}
"""Heal runs that write two batches at the same time, or each batch in one trip."""
_SAY_EVERY = 50
_CASE_SECONDS = 180.0
"""A storm takes a minute on a busy machine, everything else seconds."""


@dataclass(frozen=True, slots=True)
class Form:
    """How much of it."""

    long: bool
    sparse: int = 3
    """A short form leaves out so many of the boundaries outside of one batch, but one."""
    seed: int = 1
    storms: int = 1
    storm_faults: int = 5
    at_once: int = 3
    """Cases at the same time; each waits more than it works."""
    seconds: float = 1800.0
    """After so long no further case begins."""
    behind: Path | None = None
    """The directory of a PgBouncer, if all of it is to go through one."""


@dataclass
class Program:
    """Plays one form on one server."""

    server: PostgresServer
    form: Form
    say: Callable[[str], None] = lambda _: None
    tally: Tally = field(default_factory=Tally)
    _started: float = field(default_factory=time.monotonic)

    async def perform(self) -> Tally:
        """All of it."""
        await self.heal()
        for name in WHOLE_USERS:
            await self.heal_whole_users(name)
        await self.undo()
        await self.storms()
        for case in STRANGERS:
            await self.stranger(case)
        for repair in REPAIRS:
            await self.repair(repair, undoes=False)
            if repair.asks_again:
                # An undo goes by the ledger, whichever form has filled it.
                await self.repair(repair, undoes=True)
            await self.repair_storms(repair)
        self.tally.seconds = time.monotonic() - self._started
        return self.tally

    async def heal(self) -> None:
        """Heal runs: faults at boundaries, and a rival."""
        template = stage.planted(self.server, users=stage.USERS, artworks=stage.ARTWORKS)
        async with template as name:
            scenario = Scenario("heal", HEAL, self.server, name, healed, behind=self.form.behind)
            await self._disturb(scenario)

    async def heal_whole_users(self, name: str) -> None:
        """The same of batches of whole users, and storms."""
        for times, storms in ((1, False), (4, True)):
            users = times * stage.TOGETHER_USERS
            template = stage.planted_aside(
                self.server, users=users, artworks=stage.TOGETHER_ARTWORKS
            )
            async with template as database:
                scenario = Scenario(
                    name,
                    HEAL,
                    self.server,
                    database,
                    partial(healed_whole_users, others_write=storms),
                    behind=self.form.behind,
                    config=WHOLE_USERS[name],
                )
                if storms:
                    await self._play(f"storms, {name}", storm_cases(scenario, self.form))
                else:
                    await self._disturb(scenario)

    async def undo(self) -> None:
        """The same of an undo."""
        async with stage.healed_before(self.server) as name:
            scenario = Scenario(
                "undo", UNDO, self.server, name, undone, has_undone, self.form.behind
            )
            await self._disturb(scenario)

    async def stranger(self, case: AcceptanceCase) -> None:
        """A gallery of another shape: the short form of a heal run, and of its undo."""
        short = replace(self.form, long=False)
        for again, command, audit, done in (
            (False, HEAL, strangers.healed, None),
            (True, UNDO, strangers.undone, has_undone),
        ):
            async with strangers.prepared(self.server, case, healed=again) as name:
                scenario = Scenario(
                    f"{command[0]} {case.name}",
                    command,
                    self.server,
                    name,
                    partial(audit, case),
                    done,
                    self.form.behind,
                    strangers.configuration(case),
                )
                cases = boundary_cases(scenario, await rehearse(scenario), short)
                await self._play(f"{scenario.name}, boundaries", cases)

    async def repair(self, case: RepairCase, *, undoes: bool) -> None:
        """Runs of a repair, or undos of one that has mended everything. But for what writes the
        rows, all are alike: in the long form one suffers everything at every boundary, the others
        one thing at each."""
        form = self.form
        if form.long and case is not REPAIRS[0]:
            form = replace(form, long=False, sparse=1)
        async with repairs.prepared(self.server, case, mended=undoes) as name:
            scenario = Scenario(
                f"{'undo' if undoes else 'repair'} {case.name}",
                UNDO if undoes else ("repair", case.name, "--yes"),
                self.server,
                name,
                partial(repairs.undone if undoes else repairs.mended, case),
                has_undone if undoes else None,
                form.behind,
                case.configuration,
            )
            await self._disturb(scenario, form)

    async def storms(self) -> None:
        """Heal runs among writers and deleters."""
        template = stage.planted(self.server, users=storm.USERS, artworks=storm.ARTWORKS)
        async with template as name:
            audit = partial(healed, others_write=True)
            scenario = Scenario("heal", HEAL, self.server, name, audit, behind=self.form.behind)
            await self._play("storms", storm_cases(scenario, self.form))

    async def repair_storms(self, case: RepairCase) -> None:
        """Repairs among those who touch, mend, spoil, delete and add rows."""
        async with repairs.prepared(self.server, case, times=repair_storm.TIMES) as name:
            scenario = Scenario(
                f"repair {case.name}",
                ("repair", case.name, "--yes"),
                self.server,
                name,
                partial(repair_storm.weathered, case),
                behind=self.form.behind,
                config=case.configuration,
                crowd=repair_storm.ItemWriters,
            )
            await self._play(f"storms, {scenario.name}", storm_cases(scenario, self.form))

    async def _disturb(self, scenario: Scenario, form: Form | None = None) -> None:
        form, seen = form or self.form, await rehearse(scenario)
        through = " through PgBouncer" if self.form.behind else ""
        cases = boundary_cases(scenario, seen, form)
        await self._play(f"{scenario.name}{through}, boundaries", cases)
        await self._play(f"{scenario.name}{through}, rivals", rival_cases(scenario, seen, form))

    async def _play(self, name: str, cases: Sequence[Case]) -> None:
        self.say(f"{name}: {len(cases)} cases")
        gate = asyncio.Semaphore(self.form.at_once)

        async def one(case: Case) -> None:
            async with gate:
                if time.monotonic() > self._started + self.form.seconds:
                    self.tally.left_out += 1
                    return
                self.tally.add(await _judged(case))
                if self.tally.cases % _SAY_EVERY == 0:
                    self.say(f"  {self.tally.cases} cases, {len(self.tally.wrong)} wrong")

        async with asyncio.TaskGroup() as group:
            for case in cases:
                group.create_task(one(case))


def boundary_cases(scenario: Scenario, seen: Sequence[Seen], form: Form) -> list[Case]:
    """A fault at each boundary."""
    strikes = (
        every_strike(seen) if form.long else some_strikes(seen, seed=form.seed, sparse=form.sparse)
    )
    return [partial(play, scenario, strike) for strike in strikes]


def rival_cases(scenario: Scenario, seen: Sequence[Seen], form: Form) -> list[Case]:
    """A process frozen before each round trip of a batch: what it sent before is not held up."""
    batches = [one for one in split(seen)[1] if is_batch(one)]
    middle = [one for one in batches[len(batches) // 2] if one.begins_trip]
    chosen = middle if form.long else middle[form.seed % len(middle) :: len(middle) // 2 + 1]
    return [partial(freeze, scenario, boundary) for boundary in chosen]


def storm_cases(scenario: Scenario, form: Form) -> list[Case]:
    """Faults at random among writers."""
    return [
        partial(storm.storm, scenario, faults=form.storm_faults, seed=form.seed + number)
        for number in range(form.storms)
    ]


async def _judged(case: Case) -> Outcome:
    """What came of a case; that it never came to an end is one of the things that may."""
    try:
        async with asyncio.timeout(_CASE_SECONDS):
            return await case()
    except AssertionError as error:
        return Outcome(str(case), (), Findings(wrong=(str(error),)))
    except TimeoutError as error:
        where = traceback.extract_tb((error.__cause__ or error).__traceback__)
        awaited = " > ".join(f"{Path(one.filename).stem}:{one.lineno}" for one in where)
        return Outcome(str(case), (), Findings(wrong=(f"it hung: {awaited}",)))
