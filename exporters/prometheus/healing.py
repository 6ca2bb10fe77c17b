"""Healing: totals from the database, switches, and the run in progress."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from exporters.current import remaining_rows
from exporters.prometheus.build import PREFIX, counter, counters_by, gauge, labels_of
from monitor.policy.decision import REFUSALS
from monitor.state.counters import (
    BATCH_BUCKETS,
    BATCH_SECONDS_BUCKET,
    BATCH_SECONDS_SUM,
    HEAL_FAILURES,
    HEAL_IMPRESSIONS,
    HEAL_REFUSALS,
    HEAL_RUNS,
    HEAL_THROTTLED_SECONDS,
    HEAL_UNDONE_IMPRESSIONS,
    Counters,
)
from monitor.state.runs import RunState, WaitReason
from monitor.status import Status

REFUSAL_REASONS = tuple(code.value for code in REFUSALS)
"""Known beforehand, so exported at 0 from the start."""
THROTTLE_REASONS = tuple(reason.value for reason in WaitReason)
"""All that a run can wait for, in the same way."""

_TOTALS = (
    (HEAL_RUNS, "Heal runs that ended, per-user ones and failed ones included."),
    (HEAL_FAILURES, "Heal runs that failed."),
    (HEAL_IMPRESSIONS, "Impressions written, in rows."),
    (HEAL_UNDONE_IMPRESSIONS, "Impressions taken back by undo, in rows."),
)


def healing_families(status: Status, *, observe: bool) -> Iterator[Metric]:
    """Everything about healing; `observe`: the configuration lets only people heal."""
    yield from _totals(status.counters)
    yield batch_durations(status.counters)
    yield from _run(status)
    yield from _switches(status, observe)


def _totals(counters: Counters) -> Iterator[Metric]:
    for name, text in _TOTALS:
        yield from counter(name, text, counters)
    for name, text, known in (
        (HEAL_REFUSALS, "Times that healing was refused, by reason.", REFUSAL_REASONS),
        (HEAL_THROTTLED_SECONDS, "Seconds that runs waited, by reason.", THROTTLE_REASONS),
    ):
        reasons = dict.fromkeys((*known, *sorted(labels_of(name, counters))))
        yield from counters_by(name, text, "reason", reasons, counters)


def batch_durations(counters: Counters) -> Metric:
    """The histogram of batches; the stored buckets are not cumulative, the exported ones are.

    A stored bound that this version no longer has counts in the next larger one.
    """
    stored = [
        (float(label), total)
        for (name, label), total in counters.items()
        if name == BATCH_SECONDS_BUCKET
    ]
    bounds = [(str(bound), bound) for bound in BATCH_BUCKETS] + [("+Inf", float("inf"))]
    return HistogramMetricFamily(
        PREFIX + "heal_batch_duration_seconds",
        "Seconds that one batch's transaction took.",
        buckets=[
            (text, sum(total for upper, total in stored if upper <= bound))
            for text, bound in bounds
        ],
        sum_value=counters.get((BATCH_SECONDS_SUM, ""), 0.0),
    )


def _run(status: Status) -> Iterator[Metric]:
    run = status.active_run
    running = run is not None and run.state is RunState.RUNNING
    yield from gauge("heal_active", "1 while a heal run or an undo is running.", float(running))
    yield from gauge(
        "heal_remaining",
        "Rows of the active run's plan that are not yet written; 0 while no run is active.",
        remaining_rows(status),
    )
    yield from gauge(
        "heal_quarantined",
        "Pairs that can't be healed and are left out: they neither trigger healing nor count as"
        " stuck.",
        status.quarantined,
    )
    yield from gauge(
        "legacy_untracked_recurring",
        "Pairs that the runs of the last 24 hours found behind the last verified heal, of users"
        " that it had healed: the app's recording is broken, or impressions vanish, and healing"
        " only masks it.",
        status.recurring,
    )


def _switches(status: Status, observe: bool) -> Iterator[Metric]:
    control = status.control
    yield from gauge(
        "healing_paused",
        "1 while paused: nobody writes, not by hand either.",
        float(control.paused),
    )
    yield from gauge(
        "healing_suspended",
        "1 while automatic healing is off and runs by hand work: after an undo, and in mode"
        " observe.",
        float(control.suspended or observe),
    )
    yield from gauge(
        "healing_breaker_open",
        "1 while the breaker refuses healing until a person has looked.",
        float(status.control.breaker_open),
    )
