"""One fault at one boundary, the way back from it, and the audit."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.chaos.audit import Findings
from tests.chaos.faults import Fault, Seen, Strike
from tests.chaos.stage import Stage, stage
from tests.chaos.victims import Victim
from tests.chaos.wire import Act
from tests.support.app import App
from tests.support.postgres import PostgresServer
from tests.support.proxy import Link
from tests.support.writers import Writers

SEVERED_SECONDS = 0.7
"""Longer than one lock timeout of ours, so that a batch meets the locks of its own ghost."""
RESTARTS = 3
TRIES = 3
"""Looks at other sessions come at their own times, and may shift a boundary out of reach."""
_REACHED = (0, 69)
"""Exit codes of a command that lost a connection: it went on, or said that it couldn't."""
_TERMINATE = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE application_name = 'conservator' AND datname = current_database()
"""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A command to disturb."""

    name: str
    arguments: tuple[str, ...]
    server: PostgresServer
    template: str
    """The database in which it begins."""
    audit: Callable[[App], Awaitable[Findings]]
    """What must hold when it has come to its end."""
    done: Callable[[App], Awaitable[bool]] | None = None
    """Whether there is nothing left to ask for, where asking again would be refused."""
    behind: Path | None = None
    """The directory of a PgBouncer between proxy and server."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """What the configuration says beside the URL and the pace: other tables than the app's."""
    crowd: type[Writers] = Writers
    """Who writes beside it in a storm."""

    def staged(self) -> AbstractAsyncContextManager[Stage]:
        """Where one case of it begins."""
        return stage(self.server, self.template, behind=self.behind, config=self.config)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one case."""

    name: str
    faults: tuple[Fault, ...]
    """Those that really happened."""
    findings: Findings


async def rehearse(scenario: Scenario) -> tuple[Seen, ...]:
    """Every statement of the command, undisturbed. AssertionError when it fails by itself."""
    async with scenario.staged() as place:
        with place.command(*scenario.arguments) as process:
            assert await process.ended() == 0, process.said
        seen = tuple(place.wire.seen)
        findings = await scenario.audit(place.app)
        assert not (findings.lost or findings.doubled or findings.wrong), findings
    return seen


async def play(scenario: Scenario, strike: Strike) -> Outcome:
    """Strike, let the command come to its end, look at every row."""
    for _ in range(TRIES):
        outcome = await _play(scenario, strike)
        if outcome.faults:
            break
    return outcome


async def _play(scenario: Scenario, strike: Strike) -> Outcome:
    name = f"{scenario.name}: {strike}"
    async with scenario.staged() as place:
        wrong = await _disturb(place, scenario, strike)
        struck = place.wire.struck.is_set()
        if not struck and not strike.boundary.is_by_the_clock:
            wrong.append("the boundary was never reached")
        place.wire.disarm()
        wrong += await finish(place, scenario)
        findings = await scenario.audit(place.app)
    faults = (strike.fault,) if struck else ()
    return Outcome(name, faults, replace(findings, wrong=(*wrong, *findings.wrong)))


async def _disturb(place: Stage, scenario: Scenario, strike: Strike) -> list[str]:
    with place.command(*scenario.arguments) as process:
        place.wire.arm(
            lambda boundary, moment: boundary == strike.boundary and moment is strike.moment,
            act_of(strike.fault, place, process),
        )
        code = await process.ended()
        expected = (-signal.SIGKILL,) if strike.fault is Fault.KILL else _REACHED
        if strike.boundary.is_by_the_clock and not place.wire.struck.is_set():
            expected = (0,)
        if code not in expected or "Traceback" in process.said:
            return [f"exit {code}, expected one of {expected}: {process.said[-300:]}"]
    return []


def act_of(fault: Fault, place: Stage, process: Victim) -> Act:
    """What happens at the boundary."""

    async def act(link: Link) -> None:
        match fault:
            case Fault.KILL:
                process.send(signal.SIGKILL)
                link.cut()
            case Fault.CUT:
                link.cut()
            case Fault.SEVER:
                link.sever(SEVERED_SECONDS)
            case Fault.TERMINATE:
                await place.app.run(_TERMINATE)
            case Fault.FREEZE:
                raise NotImplementedError("rivals freeze, and thaw")

    return act


async def finish(place: Stage, scenario: Scenario) -> list[str]:
    """Start the command again, as an operator would, until it ends well."""
    said = ""
    for _ in range(RESTARTS):
        await place.expire_leases()
        if scenario.done is not None and await scenario.done(place.app):
            return []
        with place.command(*scenario.arguments) as process:
            code = await process.ended()
            said = process.said
            if code == 0 and "Traceback" not in said:
                return []
    return [f"not finished after {RESTARTS} more starts: {said[-300:]}"]
