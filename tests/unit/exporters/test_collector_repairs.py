"""Repairs as exported: from the start at 0, and no number for what is not known."""

from __future__ import annotations

from monitor.state.repairs import RepairControl, RepairCount
from tests.support.builders import Clock, a_check, a_repair, checks, just_started, repairs
from tests.unit.exporters.scrape import key, series

TOTALS = ("runs", "failures", "refusals", "plan_errors", "rows", "undone_rows")


def of(name: str, repair: str = "orphans") -> tuple[str, frozenset[tuple[str, str]]]:
    return key(f"repair_{name}", repair=repair)


def test_totals_and_latches_are_there_from_the_start_for_every_repair() -> None:
    fresh = a_repair(decision=None, count=None, counted_monotonic=None, heals=True)
    other = a_repair("others", heals=True, own=RepairControl("others", breaker_open=True))
    counted = {("repair_rows", "orphans"): 7.0}
    found = series(just_started(repairs=repairs(fresh, other), counters=counted))
    assert {name: found[of(f"{name}_total")] for name in TOTALS} == {
        **dict.fromkeys(TOTALS, 0),
        "rows": 7,
    }
    assert (found[of("suspended")], found[of("breaker_open")]) == (0, 0)
    assert found[of("breaker_open", "others")] == 1
    assert of("pending") not in found


def test_what_is_pending_leaves_once_it_is_too_old_or_could_not_be_counted() -> None:
    clock = Clock()
    status = just_started(checks=checks(a_check()), repairs=repairs(a_repair()))
    assert series(status, clock=clock)[of("pending")] == 6
    clock.past_staleness()
    assert of("pending") not in series(status, clock=clock)
    broken = a_repair(count=RepairCount(0.1, error="It ran out of time."))
    status = just_started(checks=checks(a_check()), repairs=repairs(broken))
    assert of("pending") not in series(status)


def test_observe_counts_as_suspended_and_a_follower_exports_nothing() -> None:
    assert series(just_started(repairs=repairs(a_repair())))[of("suspended")] == 1
    follower = series(just_started(repairs=repairs(a_repair()), leader=False))
    assert [name for name, _ in follower if name.startswith("repair_")] == []
