"""What a run waits for and has waited, as its record and the totals say."""

from __future__ import annotations

from tests.support.app import App
from tests.support.waiting import wait_until

PATIENCE = 30.0  # seconds; the computer may be busy


async def waiting_for(app: App) -> str:
    return str(await app.value("SELECT waiting_for FROM conservator.run"))


async def waited(app: App, reason: str) -> tuple[float, float]:
    """Seconds in the run's record and in the totals."""
    record = await app.value(
        "SELECT coalesce(sum(seconds), 0) FROM conservator.run_wait WHERE reason = %(r)s", r=reason
    )
    total = await app.value(
        "SELECT coalesce(sum(value), 0) FROM conservator.counter"
        " WHERE name = 'heal_throttled_seconds' AND label = %(r)s",
        r=reason,
    )
    return float(record), float(total)


async def wait_until_waiting(app: App, words: str) -> None:
    async def says_so() -> bool:
        return words in await waiting_for(app)

    await wait_until(says_so, PATIENCE)


async def wait_until_counted(app: App, reason: str, *, more_than: float = 0.0) -> None:
    async def has_grown() -> bool:
        return min(await waited(app, reason)) > more_than

    await wait_until(has_grown, PATIENCE)
