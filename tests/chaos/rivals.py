"""Two healers and one lease: the first is frozen in the middle of a batch until its lease is the
second's, and wakes while the second is at work.
"""

from __future__ import annotations

import asyncio
import signal
from dataclasses import replace

from tests.chaos.audit import sizes
from tests.chaos.cases import Outcome, Scenario, finish
from tests.chaos.faults import Boundary, Fault, Moment
from tests.chaos.stage import SHORT_LEASE, Stage
from tests.chaos.victims import Victim
from tests.chaos.wire import Act
from tests.support.proxy import Link
from tests.support.waiting import wait_until

_SHUT_OUT = (1, 69)
"""The exit code of a process that finds its run in other hands; 69, when its connection is gone
as well."""
_OPENS_A_BATCH = "SELECT r.position, r.artwork_cursor, r.user_cursor"


class _Gate:
    """Stops whoever comes to a boundary, with SIGSTOP or only its statement, until it is opened."""

    def __init__(self) -> None:
        self._reached, self._opened = asyncio.Event(), asyncio.Event()

    def act(self, frozen: Victim | None = None) -> Act:
        """What happens at the boundary."""

        async def act(_: Link) -> None:
            if frozen is not None:
                frozen.send(signal.SIGSTOP)
            self._reached.set()
            await self._opened.wait()

        return act

    @property
    def was_reached(self) -> bool:
        """Somebody stood before it, or still does."""
        return self._reached.is_set()

    def open(self) -> None:
        """Let it through."""
        self._opened.set()


async def freeze(scenario: Scenario, boundary: Boundary) -> Outcome:
    """SIGSTOP before `boundary`, and SIGCONT when the run has been taken over by another."""
    ice = _Gate()
    async with scenario.staged() as place:
        # So long the server keeps a frozen holder's transaction, and its locks.
        place.configure(lease=SHORT_LEASE)
        with place.command(*scenario.arguments) as first:
            place.wire.arm(
                lambda at, moment: at == boundary and moment is Moment.BEFORE, ice.act(first)
            )
            await wait_until(lambda: ice.was_reached or first.code is not None, 60)
            await place.expire_leases()
            # The second one's transactions outlast its wait for the first.
            place.configure()
            wrong = await _overtake(place, scenario, ice, first)
        place.wire.disarm()
        wrong += await finish(place, scenario)
        findings = await scenario.audit(place.app)
    return Outcome(
        f"{scenario.name}: {Fault.FREEZE} {boundary}",
        (Fault.FREEZE,) if ice.was_reached else (),
        replace(findings, wrong=(*wrong, *findings.wrong)),
    )


async def _overtake(place: Stage, scenario: Scenario, ice: _Gate, first: Victim) -> list[str]:
    """The second takes over, and is in its first batch while the first wakes and looks around."""
    gate, wrong = _Gate(), []
    with place.command(*scenario.arguments) as second:
        place.wire.arm(_opens_a_batch, gate.act())
        await wait_until(lambda: gate.was_reached or second.code is not None, 60)
        before = await sizes(place.app)
        first.send(signal.SIGCONT)
        ice.open()
        code = await first.ended()
        if await sizes(place.app) != before:
            wrong.append("the first healer wrote, although its lease was the second's")
        if code not in _SHUT_OUT or "Traceback" in first.said:
            wrong.append(f"the first healer: exit {code}, {first.said[-300:]}")
        gate.open()
        code = await second.ended()
        if code != 0 or not gate.was_reached:
            wrong.append(f"the second healer: exit {code}, {second.said[-300:]}")
    return wrong


def _opens_a_batch(boundary: Boundary, moment: Moment) -> bool:
    return moment is Moment.BEFORE and boundary.statement.startswith(_OPENS_A_BATCH)
