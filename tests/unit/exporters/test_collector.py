"""What is exported when: from the start, once measured, no longer when stale, by the leader."""

from __future__ import annotations

from types import MappingProxyType

import pytest

from checks.judgement import Outcome
from exporters.prometheus.metrics import REFUSAL_REASONS, THROTTLE_REASONS
from monitor.status import STRUCTURE, Status
from tests.support.builders import (
    Clock,
    a_census,
    a_check,
    all_measured,
    at_work,
    checks,
    just_started,
    unrun,
)
from tests.unit.exporters.scrape import families, key, names, series

FROM_THE_START = {
    "build_info": "gauge",
    "leader": "gauge",
    "database_up": "gauge",
    "check_interval_seconds": "gauge",
    "check_runs_total": "counter",
    "check_errors_total": "counter",
    "check_missed_total": "counter",
    "heal_runs_total": "counter",
    "heal_failures_total": "counter",
    "heal_refusals_total": "counter",
    "heal_impressions_total": "counter",
    "heal_undone_impressions_total": "counter",
    "heal_throttled_seconds_total": "counter",
    "heal_active": "gauge",
    "heal_remaining": "gauge",
    "heal_quarantined": "gauge",
    "legacy_untracked_recurring": "gauge",
    "heal_batch_duration_seconds": "histogram",
    "healing_paused": "gauge",
    "healing_suspended": "gauge",
    "healing_breaker_open": "gauge",
}
ONCE_MEASURED = {
    "read_replica_used": "gauge",
    "artworks": "gauge",
    "legacy_untracked_artworks": "gauge",
    "legacy_untracked_appeared": "gauge",
    "legacy_untracked_oldest_created_timestamp_seconds": "gauge",
    "users": "gauge",
    "catalogue_findings": "gauge",
    "check_outcome": "gauge",
    "check_value": "gauge",
    "check_duration_seconds": "gauge",
    "check_last_run_timestamp_seconds": "gauge",
    "check_last_success_timestamp_seconds": "gauge",
    "check_since_timestamp_seconds": "gauge",
}
OF_REPAIRS = {
    "repair_runs_total": "counter",
    "repair_failures_total": "counter",
    "repair_refusals_total": "counter",
    "repair_plan_errors_total": "counter",
    "repair_rows_total": "counter",
    "repair_undone_rows_total": "counter",
    "repair_pending": "gauge",
    "repair_suspended": "gauge",
    "repair_breaker_open": "gauge",
}
LABELS = {
    "build_info": {"version", "revision"},
    "artworks": {"state"},
    "users": {"state"},
    "heal_refusals_total": {"reason"},
    "heal_throttled_seconds_total": {"reason"},
    "catalogue_findings": {"blocks"},
    "check_outcome": {"check", "outcome"},
    **{name: {"repair"} for name in OF_REPAIRS},
    **{
        name: {"check"}
        for name in (*FROM_THE_START, *ONCE_MEASURED)
        if name.startswith("check_") and name != "check_outcome"
    },
}
MEASURED = all_measured()
EVERY_REPLICA = {"build_info", "leader", "database_up"}


def types(status: Status, *, clock: Clock | None = None) -> dict[str, str]:
    found = families(status, clock=clock)
    return {
        family.name.removeprefix("conservator_")
        + ("_total" if family.type == "counter" else ""): family.type
        for family in found
    }


def test_a_service_that_has_measured_nothing_exports_totals_and_latches_only() -> None:
    assert types(just_started()) == FROM_THE_START


def test_a_service_at_work_exports_every_metric_of_the_contract() -> None:
    assert types(MEASURED) == FROM_THE_START | ONCE_MEASURED | OF_REPAIRS


def test_every_family_has_the_contracts_labels_and_a_help_text() -> None:
    for family in families(MEASURED):
        assert family.documentation.endswith("."), family.name
        for sample in family.samples:
            name = sample.name.removeprefix("conservator_")
            assert set(sample.labels) - {"le"} == LABELS.get(name, set()), name


def test_totals_start_at_zero_for_every_label_known_beforehand() -> None:
    found = series(just_started())
    zeroes = {
        key(f"{name}_total")
        for name in ("heal_runs", "heal_failures", "heal_impressions", "heal_undone_impressions")
    }
    zeroes |= {key("heal_refusals_total", reason=reason) for reason in REFUSAL_REASONS}
    zeroes |= {key("heal_throttled_seconds_total", reason=reason) for reason in THROTTLE_REASONS}
    zeroes |= {key(f"check_{name}_total", check="census") for name in ("runs", "errors", "missed")}
    zeroes |= {key(f"healing_{latch}") for latch in ("paused", "suspended", "breaker_open")}
    assert zeroes <= set(found)
    assert all(found[zero] == 0 for zero in zeroes)


def test_a_follower_exports_only_what_concerns_itself() -> None:
    found = series(at_work(leader=False))
    assert names(found) == EVERY_REPLICA
    assert found[key("leader")] == 0


def test_the_census_is_exported_as_counted() -> None:
    found = series(at_work())
    for state, count in zip(
        ("tracked", "fresh", "storage", "legacy_untracked"), a_census().counts, strict=True
    ):
        assert found[key("artworks", state=state)] == count
    assert found[key("legacy_untracked_artworks")] == 3
    assert found[key("legacy_untracked_appeared")] == 4
    assert found[key("legacy_untracked_oldest_created_timestamp_seconds")] == 1_700_000_000
    assert found[key("users", state="affected")] == 3
    assert found[key("users", state="clear")] == 7
    assert found[key("users", state="untracked")] == 2


def test_findings_are_counted_by_what_they_block_until_the_structure_is_stale() -> None:
    found = {
        blocks: value
        for (name, labels), value in series(MEASURED).items()
        if name == "catalogue_findings"
        for blocks in dict(labels).values()
    }
    assert found == {"counting": 0, "healing": 2, "nothing": 1}
    clock = Clock()
    clock.past_staleness()
    assert "catalogue_findings" not in names(series(MEASURED, clock=clock))


def test_findings_are_absent_until_measured_and_where_they_could_not_be() -> None:
    # As an older version kept it, or a run that could not be evaluated.
    for unknown in (unrun(STRUCTURE), a_check(STRUCTURE, numbers={"errors": 1.0})):
        shown = at_work(checks=checks(a_check(), unknown))
        assert "catalogue_findings" not in names(series(shown))


def test_the_oldest_legacy_artwork_is_absent_while_there_is_none() -> None:
    found = series(at_work(census=a_census(legacy_untracked=0, oldest_legacy_created=None)))
    assert "legacy_untracked_oldest_created_timestamp_seconds" not in names(found)


def test_stale_numbers_leave_and_their_timestamps_stay() -> None:
    clock = Clock()
    clock.past_staleness()
    left = set(types(at_work(), clock=clock))
    assert left == set(FROM_THE_START) | {
        "check_last_run_timestamp_seconds",
        "check_last_success_timestamp_seconds",
        "read_replica_used",
    }


def test_numbers_stay_until_three_intervals_have_passed() -> None:
    clock = Clock(1000.0 + 180.0)
    assert types(MEASURED, clock=clock) == FROM_THE_START | ONCE_MEASURED | OF_REPAIRS


def test_a_stretched_interval_keeps_the_census_longer() -> None:
    clock = Clock()
    clock.past_staleness()
    stretched = checks(a_check(interval_seconds=600.0))
    assert "artworks" in names(series(at_work(checks=stretched), clock=clock))


def test_users_go_stale_by_their_own_interval() -> None:
    clock = Clock()
    clock.past_staleness()
    found = series(at_work(users_interval_seconds=3600.0), clock=clock)
    assert {dict(labels)["state"] for name, labels in found if name == "users"} == {
        "affected",
        "clear",
    }


@pytest.mark.parametrize("outcome", Outcome)
def test_exactly_the_current_outcome_is_one(outcome: Outcome) -> None:
    found = series(at_work(checks=checks(a_check(outcome=outcome))))
    shown = {
        dict(labels)["outcome"]: value
        for (n, labels), value in found.items()
        if n == "check_outcome"
    }
    assert shown == {other.value: float(other is outcome) for other in Outcome}


def test_a_check_that_can_not_be_evaluated_stays_an_error_when_its_value_is_stale() -> None:
    clock = Clock()
    clock.past_staleness()
    found = series(at_work(checks=checks(a_check(outcome=Outcome.ERROR))), clock=clock)
    assert found[key("check_outcome", check="census", outcome="error")] == 1
    assert "check_value" not in names(found)


def test_totals_come_from_the_stored_counters() -> None:
    counters = {
        ("heal_runs", ""): 5.0,
        ("heal_refusals", "max_share"): 2.0,
        ("heal_throttled_seconds", "replica_lag"): 1.5,
        ("check_missed", "census"): 3.0,
        ("check_runs", "removed"): 9.0,
    }
    found = series(just_started(counters=MappingProxyType(counters)))
    assert found[key("heal_runs_total")] == 5
    assert found[key("heal_refusals_total", reason="max_share")] == 2
    assert found[key("heal_throttled_seconds_total", reason="replica_lag")] == 1.5
    assert found[key("check_missed_total", check="census")] == 3
    assert key("check_runs_total", check="removed") not in found


@pytest.mark.parametrize(("reading", "value"), [(True, 1), (False, 0), (None, None)])
def test_the_replica_is_read_or_left_or_there_is_none(
    reading: bool | None, value: float | None
) -> None:
    assert series(at_work(reading_replica=reading)).get(key("read_replica_used")) == value
