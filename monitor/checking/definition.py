"""What a check is: its settings, how it measures, and how that is judged."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.judgement import Comparison, Measurement, Outcome, Threshold, Thresholds, judge
from monitor.config import Check
from monitor.deadlines import CHECK_GRACE_SECONDS
from monitor.status import CheckFacts

NONE_AT_ALL = Threshold(Comparison.ABOVE, 0, "> 0")
NEVER = Thresholds()

Confirm = Callable[[AsyncConnection], Awaitable[None]]
"""Called last in a transaction that keeps something; raises where this process may not write."""
Measure = Callable[[timedelta, Confirm | None], Awaitable[tuple[Measurement, ...]]]
"""One run, within a timeout: a measurement for each row of the check, its own first. What it keeps
for later runs it keeps under `Confirm`; with None, as on the command line, it keeps nothing. Raises
ConservatorError where it could not be evaluated."""


@dataclass(frozen=True, slots=True)
class CheckDefinition:
    """One check, or a suite with its expectations: what runs by one schedule."""

    name: str
    settings: Check
    measure: Measure
    thresholds: Thresholds = NEVER
    """They judge the check's own measurement; the others bring their outcome along."""
    facts: CheckFacts | None = None
    """What is shown of it beside its result; None: what settings and thresholds say."""
    parts: Mapping[str, CheckFacts] = field(default_factory=dict)
    """By name, further rows that a run brings: the expectations of a suite."""
    core: bool = False
    """Healing is decided from it: it waits for no other check, only its statements are bounded in
    time, and a database that does not answer it is away."""
    everywhere: bool = False
    """Followers measure it too, and publish nothing."""
    turns: asyncio.Lock | None = None
    """Checks that have it in common run one after the other, before they take a place."""
    grace_seconds: float = CHECK_GRACE_SECONDS

    @property
    def rows(self) -> Mapping[str, CheckFacts]:
        """By name, what is shown of each result beside it; the check's own comes first."""
        return {self.name: self.facts or facts(self.settings, self.thresholds), **self.parts}

    def judged(self, measured: tuple[Measurement, ...], seconds: float) -> tuple[Measurement, ...]:
        """The same with their outcomes; the run took `seconds`."""
        own, *parts = measured
        seconds = seconds if own.seconds is None else own.seconds
        return (replace(own, outcome=judge(own, self.thresholds), seconds=seconds), *parts)

    def failed(self, message: str, seconds: float | None) -> tuple[Measurement, ...]:
        """What a run that could not be evaluated says of every row."""
        failure = Measurement(None, message, outcome=Outcome.ERROR, seconds=seconds)
        return (failure,) * (1 + len(self.parts))


def facts(settings: Check, thresholds: Thresholds) -> CheckFacts:
    """What the configuration says about a check."""
    return CheckFacts(
        warn=None if thresholds.warn is None else thresholds.warn.text,
        fail=None if thresholds.fail is None else thresholds.fail.text,
        owner=settings.owner,
        runbook=settings.runbook,
    )
