"""One set of series for each check. Verdict and value go when stale; timestamps and totals stay."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from prometheus_client.metrics_core import Metric

from checks.judgement import Outcome
from exporters.current import check_is_stale, current_outcome
from exporters.prometheus.build import Row, counters_by, gauge, gauges
from monitor.state.counters import CHECK_ERRORS, CHECK_MISSED, CHECK_RUNS
from monitor.status import CheckResult, Status

_Measure = Callable[[CheckResult], float | None]

_TOTALS = (
    (CHECK_RUNS, "Attempts to evaluate the check."),
    (CHECK_ERRORS, "Attempts that could not be evaluated."),
    (CHECK_MISSED, "Runs that were due and could not be started in time."),
)

_ALWAYS: tuple[tuple[str, str, _Measure], ...] = (
    (
        "check_interval_seconds",
        "Seconds between two runs, in effect now, after the budget stretched them.",
        lambda check: check.interval_seconds,
    ),
    (
        "check_last_run_timestamp_seconds",
        "When the check last ran, in Unix seconds.",
        lambda check: check.last_run,
    ),
    (
        "check_last_success_timestamp_seconds",
        "When the check was last evaluated, whatever the verdict, in Unix seconds.",
        lambda check: check.last_success,
    ),
)
"""Facts that say themselves how old they are, or that don't age."""


def check_families(status: Status, now: float) -> Iterator[Metric]:
    """Every series of every check in the snapshot."""
    checks = tuple(status.checks.values())
    if status.reading_replica is not None:
        yield from gauge(
            "read_replica_used",
            "1 while the checks read the replica, 0 while they read the primary because it lags or"
            " can't be reached; absent where none is configured.",
            float(status.reading_replica),
        )
    yield from gauges(
        "check_outcome",
        "1 for the current outcome, 0 for the others; error: could not be evaluated, skipped:"
        " impossible by a constraint.",
        ("check", "outcome"),
        _outcomes(checks, now),
    )
    yield from _measured(
        checks,
        "check_value",
        "The number that the check measured.",
        lambda check: None if check_is_stale(check, now) else _finite(check.value),
    )
    yield from _measured(
        checks,
        "check_since_timestamp_seconds",
        "Since when the outcome of the check has been what it is, in Unix seconds.",
        lambda check: check.since if current_outcome(check, now) else None,
    )
    yield from _measured(
        checks,
        "check_duration_seconds",
        "Seconds that the last run took.",
        lambda check: check.duration_seconds if current_outcome(check, now) else None,
    )
    for name, text, measure in _ALWAYS:
        yield from _measured(checks, name, text, measure)
    for name, text in _TOTALS:
        yield from counters_by(name, text, "check", status.checks, status.counters)


def _finite(value: float | None) -> float | None:
    """An infinity is no measurement: the age of an artwork that is not there."""
    return value if value is not None and math.isfinite(value) else None


def _outcomes(checks: tuple[CheckResult, ...], now: float) -> Iterator[Row]:
    for check in checks:
        current = current_outcome(check, now)
        if current is not None:
            for outcome in Outcome:
                yield (check.name, outcome.value), float(outcome is current)


def _measured(
    checks: tuple[CheckResult, ...], name: str, text: str, measure: _Measure
) -> Iterator[Metric]:
    measured = ((check.name, measure(check)) for check in checks)
    rows = [((check,), value) for check, value in measured if value is not None]
    return gauges(name, text, ("check",), rows)
