"""Healing as exported: the histogram, the run in progress, the switches."""

from __future__ import annotations

import pytest

from monitor.healing.executor import Progress
from monitor.state.control import Control
from monitor.state.counters import BATCH_BUCKETS, batch_observation
from monitor.state.runs import RunState, WaitReason
from tests.support.builders import a_run, just_started
from tests.unit.exporters.scrape import key, series


def test_the_histogram_is_cumulative_although_the_stored_buckets_are_not() -> None:
    counters: dict[tuple[str, str], float] = {}
    for seconds in (0.005, 0.2, 0.2, 11.0):
        for name, added in batch_observation(seconds).items():
            counters[name] = counters.get(name, 0.0) + added
    found = series(just_started(counters=counters))
    buckets = {
        dict(labels)["le"]: value
        for (name, labels), value in found.items()
        if name == "heal_batch_duration_seconds_bucket"
    }
    assert list(buckets) == [*(str(bound) for bound in BATCH_BUCKETS), "+Inf"]
    assert list(buckets.values()) == [1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 4]
    assert found[key("heal_batch_duration_seconds_count")] == 4
    assert found[key("heal_batch_duration_seconds_sum")] == pytest.approx(11.405)


def test_every_reason_to_wait_is_there_from_the_start() -> None:
    found = series(just_started(counters={("heal_throttled_seconds", "replica_lag"): 4.5}))
    waited = {
        dict(labels)["reason"]: value
        for (name, labels), value in found.items()
        if name == "heal_throttled_seconds_total"
    }
    assert waited == {reason.value: 0.0 for reason in WaitReason} | {"replica_lag": 4.5}


def test_a_running_run_is_active_and_its_progress_says_what_remains() -> None:
    run = a_run()
    progress = Progress(
        run=run, inserted=70, batch=None, size=10, rows_per_second=5.0, waiting_for=None
    )
    found = series(just_started(active_run=run, progress=progress))
    assert (found[key("heal_active")], found[key("heal_remaining")]) == (1, 30)


def test_progress_of_another_run_says_nothing_about_the_active_one() -> None:
    progress = Progress(
        run=a_run(id=99), inserted=70, batch=None, size=10, rows_per_second=5.0, waiting_for=None
    )
    found = series(just_started(active_run=a_run(), progress=progress))
    assert found[key("heal_remaining")] == 60


def test_a_held_run_is_not_active_but_has_rows_left() -> None:
    found = series(just_started(active_run=a_run(state=RunState.HELD)))
    assert (found[key("heal_active")], found[key("heal_remaining")]) == (0, 60)


def test_nothing_remains_when_no_run_is_active() -> None:
    progress = Progress(
        run=a_run(), inserted=70, batch=None, size=10, rows_per_second=5.0, waiting_for=None
    )
    found = series(just_started(active_run=None, progress=progress))
    assert (found[key("heal_active")], found[key("heal_remaining")]) == (0, 0)


def test_the_switches_say_what_people_have_switched() -> None:
    status = just_started(
        control=Control(paused=True, suspended=True, breaker_open=True), quarantined=4
    )
    found = series(status)
    assert found[key("healing_paused")] == 1
    assert found[key("healing_suspended")] == 1
    assert found[key("healing_breaker_open")] == 1
    assert found[key("heal_quarantined")] == 4


def test_mode_observe_counts_as_suspended() -> None:
    assert series(just_started(), observe=True)[key("healing_suspended")] == 1
