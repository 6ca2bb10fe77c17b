"""A running service on a real database, without HTTP, and what it shows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import MappingProxyType

from monitor.policy.decision import Code
from monitor.service.service import Service
from monitor.status import Status
from tests.support.app import App
from tests.support.healing import service_settings

QUICK = {"census": {"every": "100ms", "budget": "100%"}}
EAGER = {
    "mode": "heal",
    "cooldown": "0s",
    "breaker": {"max_share": "100%", "max_tracked_drop": "100%"},
    "pace": {"duty": "100%", "max_batch": 50},
}


@asynccontextmanager
async def running(service: Service) -> AsyncIterator[Service]:
    """The service, started; stopped in the end."""
    try:
        await service.start()
        yield service
    finally:
        await service.stop()


@asynccontextmanager
async def service_on(
    url: str,
    checks: object = QUICK,
    lease: str = "10s",
    database: object = MappingProxyType({}),
    **healing: object,
) -> AsyncIterator[Service]:
    """A running service with a quick census and eager healing, stopped in the end."""
    settings = await service_settings(
        url, checks=checks, healing={**EAGER, **healing}, lease=lease, database=database
    )
    async with running(Service(settings)) as service:
        yield service


def decided(service: Service, code: Code) -> Callable[[], bool]:
    """Whether the newest decision has this code."""

    def is_so() -> bool:
        decision = service.board.current.decision
        return decision is not None and decision.code is code

    return is_so


def is_clean(service: Service) -> bool:
    """The newest census finds nothing, the decision says so, and nothing is under way."""
    status = service.board.current
    return (
        status.census is not None
        and status.census.legacy_untracked == 0
        and status.active_run is None
        and decided(service, Code.CLEAN)()
    )


async def codes(app: App) -> list[str]:
    """The decisions that were recorded, each followed by another one only."""
    rows = await app.rows("SELECT code FROM conservator.decision ORDER BY id")
    found = [code for (code,) in rows]
    return [code for code, before in zip(found, [None, *found], strict=False) if code != before]


def sees(service: Service, condition: Callable[[Status], object]) -> Callable[[], bool]:
    """Whether `condition` holds for what the service shows."""
    return lambda: bool(condition(service.board.current))


async def has_censuses(app: App, at_least: int) -> bool:
    found = await app.value("SELECT count(*) FROM conservator.census")
    return bool(found >= at_least)
