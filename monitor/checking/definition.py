"""What is evaluated together, by one schedule: a check, or a suite with its expectations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.judgement import Thresholds
from monitor.checking.result import CheckResult
from monitor.config import Check
from monitor.status import CheckFacts

Confirm = Callable[[AsyncConnection], Awaitable[None]]
"""Called last in a transaction that keeps something; raises where this process may not write."""


@dataclass(frozen=True, slots=True)
class ScheduledCheck:
    """One entry of the schedule, and the checks that its run brings results of."""

    name: str
    settings: Check
    rows: Mapping[str, CheckFacts]
    """By name, what is known of each check beforehand; the routine's own comes first."""
    run: Callable[[Confirm | None], Awaitable[tuple[CheckResult, ...]]]
    """One result a row. Never raises for what a check does. What it keeps for later runs it keeps
    under `Confirm`; with None, as on the command line, it keeps nothing."""


def facts(settings: Check, thresholds: Thresholds | None = None) -> CheckFacts:
    """What the configuration says about a check."""
    warn = None if thresholds is None else thresholds.warn
    fail = None if thresholds is None else thresholds.fail
    return CheckFacts(
        warn=None if warn is None else warn.text,
        fail=None if fail is None else fail.text,
        owner=settings.owner,
        runbook=settings.runbook,
    )
