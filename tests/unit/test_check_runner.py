"""How checks are run and remembered: places, turns, deadlines, failures, budgets."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from checks.errors import DatabaseUnavailableError
from checks.judgement import Measurement, Outcome, Thresholds, at_least
from exporters.current import current_outcome
from monitor.checking.definition import CheckDefinition, Confirm, Measure
from monitor.checking.runner import CheckRunner, CheckTracker
from monitor.config import Check, parse_config
from monitor.status import CheckFacts, Status, StatusBoard

PARTS = {"a_suite.one": CheckFacts(suite="a_suite")}


def board() -> StatusBoard:
    first = Status(started=datetime.now(UTC), version="0", revision="0", database_up=True)
    return StatusBoard(first)


def runner(shown: StatusBoard | None = None) -> CheckRunner:
    text = "database: {url: 'postgresql://app@db/gallery'}"
    return CheckRunner(parse_config(text, {}, source="test", base_dir=None), shown or board())


def check(measure: Measure, name: str = "a_check", **more: Any) -> CheckDefinition:
    settings = Check.model_validate(more.pop("settings", {}))
    return CheckDefinition(name, settings, measure, Thresholds(fail=at_least(1)), **more)


async def breaks(_: timedelta, __: Confirm | None) -> tuple[Measurement, ...]:
    raise KeyError("a bug")


async def away(_: timedelta, __: Confirm | None) -> tuple[Measurement, ...]:
    raise DatabaseUnavailableError("Nobody answers.")


async def hangs(_: timedelta, __: Confirm | None) -> tuple[Measurement, ...]:
    await asyncio.Event().wait()
    return ()


def finds(value: float, seconds: float | None = None) -> Measure:
    async def measure(_: timedelta, __: Confirm | None) -> tuple[Measurement, ...]:
        return (Measurement(value, f"{value}", seconds=seconds),)

    return measure


async def test_whatever_a_check_raises_is_the_error_of_each_of_its_rows() -> None:
    with capture_logs():
        found = await runner().run(check(breaks, "a_suite", parts=PARTS), None)
    assert [one.outcome for one in found] == [Outcome.ERROR] * 2
    assert {one.message for one in found} == {"a_suite broke: KeyError('a bug')."}


async def test_a_check_beyond_its_deadline_is_given_up() -> None:
    slow = check(hangs, settings={"timeout": "10ms"}, grace_seconds=0.0)
    (found,) = await runner().run(slow, None)
    assert found.outcome is Outcome.ERROR
    assert "took longer than 0.01 s and was given up" in found.message


async def test_only_a_check_that_healing_is_decided_from_says_that_the_database_is_away() -> None:
    for core in (False, True):
        shown = board()
        (found,) = await runner(shown).run(check(away, core=core), None)
        assert (found.outcome, found.message) == (Outcome.ERROR, "Nobody answers.")
        assert shown.current.database_up is not core


async def test_what_healing_is_decided_from_waits_for_no_other_check() -> None:
    one_by_one = runner()
    slow = [asyncio.create_task(one_by_one.run(check(hangs), None)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting = asyncio.create_task(one_by_one.run(check(finds(0)), None))
    async with asyncio.timeout(10):
        (found,) = await one_by_one.run(check(finds(0), core=True), None)
    assert found.outcome is Outcome.PASS
    assert not waiting.done()
    for task in (*slow, waiting):
        task.cancel()
    await asyncio.wait({*slow, waiting})


async def test_checks_that_take_turns_hold_no_place_while_they_wait() -> None:
    shared, turns = runner(), asyncio.Lock()
    slow = [asyncio.create_task(shared.run(check(hangs, turns=turns), None)) for _ in range(3)]
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        (found,) = await shared.run(check(finds(1)), None)
    assert found.outcome is Outcome.FAIL
    for task in slow:
        task.cancel()
    await asyncio.wait(slow)


async def test_any_check_keeps_to_its_budget_with_all_its_rows() -> None:
    shown = board()
    settings = {"every": "1s", "budget": "10%"}
    slow = check(finds(0, seconds=0.5), settings=settings, parts=PARTS)
    tracker = CheckTracker(slow, shown, "UTC")
    tracker.publish((*await runner().run(slow, None), Measurement(0, "", outcome=Outcome.PASS)))
    assert tracker.stretch() == timedelta(seconds=5)
    assert tracker.stretch() is None
    assert {one.interval_seconds for one in shown.current.checks.values()} == {5.0}
    assert {one.configured_interval_seconds for one in tracker.results} == {1.0}


async def test_an_error_keeps_the_last_value_and_the_time_of_the_last_success() -> None:
    shown = board()
    tracker = CheckTracker(check(finds(0)), shown, "UTC")
    assert tracker.result.outcome is None
    tracker.publish(await runner().run(check(finds(3)), None), age_seconds=60)
    good = tracker.result
    tracker.publish(await runner().run(check(away), None))
    bad = tracker.result
    assert (good.outcome, bad.outcome) == (Outcome.FAIL, Outcome.ERROR)
    assert (bad.value, bad.last_success, bad.monotonic) == (3, good.last_success, good.monotonic)
    assert (bad.since or 0) > (good.since or 0) + 59


class Clock:
    """Stands for `datetime` in the scheduler: the moment is what the test says."""

    moment = datetime(2026, 11, 27, 17, 0, tzinfo=UTC)  # a Friday

    @classmethod
    def now(cls, _: object) -> datetime:
        return cls.moment


@pytest.mark.parametrize(
    ("cron", "ran", "due"),
    [
        ("28,29 * * * *", "2026-11-27T17:29", "2026-11-27T18:28"),
        ("0 9-17 * * mon-fri", "2026-11-27T17:00", "2026-11-30T09:00"),
        ("0 3 1 1 *", "2026-11-27T17:00", "2027-01-01T03:00"),
    ],
)
async def test_a_result_by_cron_holds_until_the_next_run_is_due_and_its_grace(
    monkeypatch: pytest.MonkeyPatch, cron: str, ran: str, due: str
) -> None:
    monkeypatch.setattr("monitor.scheduler.datetime", Clock)
    Clock.moment = datetime.fromisoformat(f"{ran}:00Z")
    tracker = CheckTracker(check(finds(3), settings={"cron": cron}), board(), "UTC")
    tracker.publish(await runner().run(check(finds(3)), None))
    distance = (datetime.fromisoformat(f"{due}:00Z") - Clock.moment).total_seconds()
    assert tracker.result.interval_seconds == pytest.approx(distance)
    found_at = tracker.result.monotonic or 0.0
    assert current_outcome(tracker.result, found_at + distance + 290) is Outcome.FAIL
    assert current_outcome(tracker.result, found_at + distance + 310) is None


async def test_an_error_does_not_renew_a_result_by_cron() -> None:
    tracker = CheckTracker(check(finds(3), settings={"cron": "0 3 * * *"}), board(), "UTC")
    tracker.publish(await runner().run(check(finds(3)), None))
    held = tracker.result.holds_seconds
    tracker.publish(await runner().run(check(away), None))
    assert tracker.result.holds_seconds == held
