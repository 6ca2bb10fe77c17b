"""Every metric of the snapshot, in the order in which it is exported, and their registry.

Totals and switches are there from the start; what is measured is absent until it was, and leaves
once it is too old.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from checks.doctor.findings import Blocks
from checks.judgement import Outcome
from exporters.current import (
    check_is_stale,
    current_outcome,
    current_users,
    pending_rows,
    remaining_rows,
)
from exporters.prometheus.build import (
    PREFIX,
    MetricDefinition,
    Row,
    Scrape,
    census_gauge,
    check_gauge,
    gauge,
    repair_gauge,
    total,
    total_by_check,
    total_by_reason,
    total_by_repair,
)
from monitor.policy.decision import REFUSALS
from monitor.state import counters
from monitor.state.runs import RunState, WaitReason
from monitor.status import STRUCTURE, CheckResult, StatusBoard

Clock = Callable[[], float]
"""The process's monotonic clock, in seconds."""
REFUSAL_REASONS = tuple(code.value for code in REFUSALS)
"""Known beforehand, so exported at 0 from the start."""
THROTTLE_REASONS = tuple(reason.value for reason in WaitReason)
"""All that a run can wait for, in the same way."""


def _artworks(scrape: Scrape) -> Iterator[Row]:
    census = scrape.census
    if census is not None:
        yield ("tracked",), census.tracked
        yield ("fresh",), census.fresh
        yield ("storage",), census.storage
        yield ("legacy_untracked",), census.legacy_untracked


def _users(scrape: Scrape) -> Iterator[Row]:
    users = current_users(scrape.status, scrape.now)
    if users is not None:
        yield ("affected",), users.affected
        yield ("clear",), users.clear
    census = scrape.census
    if census is not None:
        yield ("untracked",), census.untracked_users


def _outcomes(scrape: Scrape) -> Iterator[Row]:
    for check in scrape.status.checks.values():
        current = current_outcome(check, scrape.now)
        if current is not None:
            for outcome in Outcome:
                yield (check.name, outcome.value), float(outcome is current)


def _catalogue_findings(scrape: Scrape) -> Iterator[Row]:
    check = scrape.status.checks.get(STRUCTURE)
    if check is None or check_is_stale(check, scrape.now):
        return
    for blocks in Blocks:
        number = check.numbers.get(blocks.value)
        if number is not None:  # an older version may have kept the result
            yield (blocks.value,), number


def _check_value(check: CheckResult, now: float) -> float | None:
    """An infinity is no measurement: the age of an artwork that is not there."""
    if check.value is None or check_is_stale(check, now) or not math.isfinite(check.value):
        return None
    return check.value


def _run_active(scrape: Scrape) -> float:
    run = scrape.status.active_run
    return float(run is not None and run.state is RunState.RUNNING)


EVERY_REPLICA = (
    MetricDefinition(
        "build_info",
        "Always 1; the labels say which build this is.",
        lambda scrape: [((scrape.status.version, scrape.status.revision), 1)],
        ("version", "revision"),
    ),
    gauge(
        "leader",
        "1 while this replica leads: it alone checks and heals.",
        lambda scrape: float(scrape.status.leader),
    ),
    gauge(
        "database_up",
        "1 while the database answers this replica, every node of a cluster with it.",
        lambda scrape: float(scrape.status.database_up),
    ),
)
CENSUS = (
    MetricDefinition(
        "artworks",
        "Artworks in each state summed over the audience, in pairs of user and artwork;"
        " the four states add up to all pairs.",
        _artworks,
        ("state",),
    ),
    census_gauge(
        "legacy_untracked_artworks",
        "Distinct artworks with at least one legacy_untracked pair.",
        lambda census: census.legacy_artworks,
    ),
    census_gauge(
        "legacy_untracked_appeared",
        "Pairs of legacy_untracked that appeared behind the cutoff of the last verified heal,"
        " rather than aged past it: recording is broken, or impressions vanish.",
        lambda census: census.appeared,
    ),
    census_gauge(
        "legacy_untracked_oldest_created_timestamp_seconds",
        "When the oldest artwork with a legacy_untracked pair was created, in Unix seconds.",
        lambda census: census.oldest_legacy_created,
    ),
    MetricDefinition(
        "users",
        "Users by state: affected (at least one legacy_untracked pair), clear, untracked"
        " (outside the audience for having no impression).",
        _users,
        ("state",),
    ),
)
CHECKS = (
    gauge(
        "read_replica_used",
        "1 while the checks read the replica, 0 while they read the primary because it lags or"
        " can't be reached; absent where none is configured.",
        lambda scrape: (
            None if scrape.status.reading_replica is None else float(scrape.status.reading_replica)
        ),
    ),
    MetricDefinition(
        "check_outcome",
        "1 for the current outcome, 0 for the others; error: could not be evaluated, skipped:"
        " impossible by a constraint.",
        _outcomes,
        ("check", "outcome"),
    ),
    check_gauge("check_value", "The number that the check measured.", _check_value),
    check_gauge(
        "check_since_timestamp_seconds",
        "Since when the outcome of the check has been what it is, in Unix seconds.",
        lambda check, now: check.since if current_outcome(check, now) else None,
    ),
    check_gauge(
        "check_duration_seconds",
        "Seconds that the last run took.",
        lambda check, now: check.duration_seconds if current_outcome(check, now) else None,
    ),
    # Facts that say themselves how old they are, or that don't age.
    check_gauge(
        "check_interval_seconds",
        "Seconds between two runs, in effect now, after the budget stretched them.",
        lambda check, _: check.interval_seconds,
    ),
    check_gauge(
        "check_last_run_timestamp_seconds",
        "When the check last ran, in Unix seconds.",
        lambda check, _: check.last_run,
    ),
    check_gauge(
        "check_last_success_timestamp_seconds",
        "When the check was last evaluated, whatever the verdict, in Unix seconds.",
        lambda check, _: check.last_success,
    ),
    MetricDefinition(
        "catalogue_findings",
        "What doctor found at the last structure check, by what it blocks: counting, healing,"
        " nothing.",
        _catalogue_findings,
        ("blocks",),
    ),
    total_by_check(counters.CHECK_RUNS, "Attempts to evaluate the check."),
    total_by_check(counters.CHECK_ERRORS, "Attempts that could not be evaluated."),
    total_by_check(counters.CHECK_MISSED, "Runs that were due and could not be started in time."),
)
HEALING = (
    total(counters.HEAL_RUNS, "Heal runs that ended, per-user ones and failed ones included."),
    total(counters.HEAL_FAILURES, "Heal runs that failed."),
    total(counters.HEAL_IMPRESSIONS, "Impressions written, in rows."),
    total(counters.HEAL_UNDONE_IMPRESSIONS, "Impressions taken back by undo, in rows."),
    total_by_reason(
        counters.HEAL_REFUSALS, "Times that healing was refused, by reason.", REFUSAL_REASONS
    ),
    total_by_reason(
        counters.HEAL_THROTTLED_SECONDS,
        "Seconds that runs waited, by reason.",
        THROTTLE_REASONS,
    ),
    gauge("heal_active", "1 while a heal run or an undo is running.", _run_active),
    gauge(
        "heal_remaining",
        "Rows of the active run's plan that are not yet written; 0 while no run is active.",
        lambda scrape: remaining_rows(scrape.status),
    ),
    gauge(
        "heal_quarantined",
        "Pairs that can't be healed and are left out: they neither trigger healing nor count as"
        " stuck.",
        lambda scrape: scrape.status.quarantined,
    ),
    gauge(
        "legacy_untracked_recurring",
        "Pairs that the runs of the last 24 hours found behind the last verified heal, of users"
        " that it had healed: the app's recording is broken, or impressions vanish, and healing"
        " only masks it.",
        lambda scrape: scrape.status.recurring,
    ),
    gauge(
        "healing_paused",
        "1 while paused: nobody writes, not by hand either.",
        lambda scrape: float(scrape.status.control.paused),
    ),
    gauge(
        "healing_suspended",
        "1 while automatic healing is off and runs by hand work: after an undo, and in mode"
        " observe.",
        lambda scrape: float(scrape.status.control.suspended or scrape.observe),
    ),
    gauge(
        "healing_breaker_open",
        "1 while the breaker refuses healing until a person has looked.",
        lambda scrape: float(scrape.status.control.breaker_open),
    ),
)
REPAIRS = (
    total_by_repair(counters.REPAIR_RUNS, "Runs of the repair that ended, failed ones included."),
    total_by_repair(counters.REPAIR_FAILURES, "Runs of the repair, or undos of one, that failed."),
    total_by_repair(
        counters.REPAIR_REFUSALS,
        "Times that a breaker began to refuse the repair, or kept it back.",
    ),
    total_by_repair(
        counters.REPAIR_PLAN_ERRORS,
        "Times that what the repair would mend could not be found out: its find fails, or names a"
        " key twice, or one with NULL.",
    ),
    total_by_repair(counters.REPAIR_ROWS, "Rows mended."),
    total_by_repair(counters.REPAIR_UNDONE_ROWS, "Rows given back by undo."),
    repair_gauge(
        "repair_pending",
        "Rows that the repair's find named when it was counted last.",
        lambda scrape, repair: pending_rows(scrape.status, repair, scrape.now),
    ),
    repair_gauge(
        "repair_suspended",
        "1 while the repair does not start by itself and runs by hand work: after an undo, and in"
        " mode observe.",
        lambda _, repair: float(repair.own.suspended or not repair.heals),
    ),
    repair_gauge(
        "repair_breaker_open",
        "1 while the repair's own breaker refuses it until a person has looked.",
        lambda _, repair: float(repair.own.breaker_open),
    ),
)
LEADER_ALONE = (*CENSUS, *CHECKS, *HEALING, *REPAIRS)
"""What a follower does not export, so that sums over replicas are right."""


def batch_durations(totals: counters.Counters) -> HistogramMetricFamily:
    """The histogram of batches; the stored buckets are not cumulative, the exported ones are.

    A stored bound that this version no longer has counts in the next larger one.
    """
    stored = [
        (float(label), number)
        for (name, label), number in totals.items()
        if name == counters.BATCH_SECONDS_BUCKET
    ]
    bounds = [*((str(bound), bound) for bound in counters.BATCH_BUCKETS), ("+Inf", math.inf)]
    return HistogramMetricFamily(
        PREFIX + "heal_batch_duration_seconds",
        "Seconds that one batch's transaction took.",
        buckets=[
            (text, sum(number for upper, number in stored if upper <= bound))
            for text, bound in bounds
        ],
        sum_value=totals.get((counters.BATCH_SECONDS_SUM, ""), 0.0),
    )


@dataclass(frozen=True, eq=False)
class StatusCollector(Collector):
    """The metrics of the current snapshot: a scrape reads memory and never touches the database."""

    board: StatusBoard
    observe: bool
    clock: Clock

    def collect(self) -> Iterator[Metric]:
        """Every family, from one snapshot."""
        scrape = Scrape(self.board.current, self.clock(), self.observe)
        leads = scrape.status.leader
        for metric in (*EVERY_REPLICA, *(LEADER_ALONE if leads else ())):
            yield from metric.families(scrape)
        if leads:
            yield batch_durations(scrape.status.counters)


def create_registry(
    board: StatusBoard,
    *,
    observe: bool = False,
    clock: Clock = time.monotonic,
    process: bool = True,
) -> CollectorRegistry:
    """A registry of our own with the snapshot's metrics, and with `process` Python's and /proc's.

    Leave `process` out where the process ends before anyone looks, as in `check --textfile`.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    registry.register(StatusCollector(board, observe=observe, clock=clock))
    if process:
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
    return registry
