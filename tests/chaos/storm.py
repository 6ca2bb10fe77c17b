"""Faults at random places, one after the other, while the app writes the same pairs and deletes
artworks and users, or writes the rows that a repair mends.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, replace

from tests.chaos.cases import Outcome, Scenario, act_of, finish
from tests.chaos.faults import Boundary, Fault, Moment
from tests.chaos.stage import Stage
from tests.support.waiting import wait_until

USERS, ARTWORKS = 40, 60
"""Of the gallery that the storm is over."""
_WAYS = (Fault.KILL, Fault.CUT, Fault.SEVER, Fault.TERMINATE)
_FARTHEST = 130
"""Statements, at most, until a fault: some ten batches."""
_SURVIVES = 0.3
"""The share of the processes that may go on after a lost connection, to their end."""
_STEPS = 5
"""Statements of ours for each one of the app. At full speed it would leave nothing to heal."""


@dataclass
class _Countdown:
    """Holds at the n-th statement, on the side that chance has chosen; the app keeps pace."""

    left: int
    moment: Moment
    app: asyncio.Semaphore

    def __call__(self, _: Boundary, moment: Moment) -> bool:
        if moment is Moment.BEFORE:
            self.left -= 1
            if self.left % _STEPS == 0:
                self.app.release()
        return self.left <= 0 and moment is self.moment


async def storm(scenario: Scenario, *, faults: int, seed: int) -> Outcome:
    """So many faults, then calm, and the audit."""
    rng, pace = random.Random(seed), asyncio.Semaphore(0)
    done: list[Fault] = []
    async with scenario.staged() as place:
        async with scenario.crowd(place.url, crowd=2, seed=seed, allowance=pace):
            for _ in range(faults):
                countdown = _Countdown(rng.randint(1, _FARTHEST), rng.choice(tuple(Moment)), pace)
                done += await _strike(place, scenario, rng, countdown)
        place.wire.disarm()
        # Twice: the first may take up a run whose plan did not know the newest users.
        wrong = await finish(place, scenario)
        wrong += await finish(place, scenario)
        findings = await scenario.audit(place.app)
    return Outcome(
        f"{scenario.name}: a storm of {faults} faults, seed {seed}",
        tuple(done),
        replace(findings, wrong=(*wrong, *findings.wrong)),
    )


async def _strike(
    place: Stage, scenario: Scenario, rng: random.Random, countdown: _Countdown
) -> tuple[Fault, ...]:
    """Start the command, strike somewhere, and leave it at that or kill it as well; what it
    suffered. Whoever was killed leaves a lease, which ends before the next start."""
    fault = rng.choice(_WAYS)
    await place.expire_leases()
    with place.command(*scenario.arguments) as process:
        place.wire.arm(countdown, act_of(fault, place, process))
        await wait_until(lambda: place.wire.struck.is_set() or process.code is not None, 60)
        suffered: tuple[Fault, ...] = (fault,) if place.wire.struck.is_set() else ()
        if rng.random() < _SURVIVES:
            await process.ended()
        elif process.code is None and fault is not Fault.KILL:
            suffered += (Fault.KILL,)
    return suffered
