"""What a run waited, by reason, and how that is kept: in its record and in the totals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.state.counters import HEAL_THROTTLED_SECONDS, add_to_counters
from monitor.state.statements import SchemaStatements


@dataclass(frozen=True, slots=True)
class WaitTimes:
    """What was spent waiting since it was last kept, by reason, in seconds."""

    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """All of it."""
        return sum(self.seconds.values())

    def plus(self, reason: str, seconds: float) -> WaitTimes:
        """The same with `seconds` more for `reason`."""
        return WaitTimes({**self.seconds, reason: self.seconds.get(reason, 0.0) + seconds})


async def keep_waits(
    connection: AsyncConnection, state: SchemaStatements, run_id: int, waited: WaitTimes
) -> None:
    """Add to the run's record and to the totals, in the connection's transaction."""
    if not waited.seconds:
        return
    await state.run(
        connection,
        "run_waits_add",
        {
            "run_id": run_id,
            "reasons": list(waited.seconds),
            "seconds": list(waited.seconds.values()),
        },
    )
    await add_to_counters(
        connection,
        state,
        {(HEAL_THROTTLED_SECONDS, reason): seconds for reason, seconds in waited.seconds.items()},
    )
