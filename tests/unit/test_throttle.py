"""What a run yields to: every signal by its limit, the unknown always, and no stop and go."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from monitor.deadlines import SIGNAL_FRESH_SECONDS
from monitor.healing.throttle.throttle import (
    RELIEF,
    Replica,
    Signals,
    ThrottleSettings,
    Unknown,
    Wait,
    throttle,
)
from monitor.healing.throttle.throttler import Throttler
from monitor.state.runs import WaitReason

MIB = 1024**2
SETTINGS = ThrottleSettings(
    max_lag_seconds=10, max_lag_bytes=64 * MIB, expected_replicas=0, max_value=80.0
)
LAGGING = Wait(WaitReason.REPLICA_LAG_BYTES, "")
QUIET = Signals()

unknowns = st.builds(Unknown, st.text(min_size=1, max_size=5))
replicas = st.builds(
    Replica,
    name=st.sampled_from(["a", "b", "c"]),
    lag_seconds=st.none() | st.floats(0, 1000),
    lag_bytes=st.integers(0, 10**12) | unknowns,
)
every_signals = st.builds(
    Signals,
    replicas=st.lists(replicas, max_size=4).map(tuple) | unknowns,
    must_wait=st.none() | st.booleans() | unknowns,
    value=st.none() | st.floats(allow_nan=False) | unknowns,
)
every_settings = st.builds(
    ThrottleSettings,
    max_lag_seconds=st.floats(0.001, 1000),
    max_lag_bytes=st.integers(0, 10**12),
    expected_replicas=st.integers(0, 3),
    max_value=st.floats(allow_nan=False),
)
every_wait = st.none() | st.builds(Wait, st.sampled_from(WaitReason), st.just("so far"))


def standby(lag_bytes: int | Unknown = 0, lag_seconds: float | None = None) -> Replica:
    return Replica("standby1", lag_seconds, lag_bytes)


def seeing(*found: Replica) -> Signals:
    return Signals(replicas=found)


def code(
    signals: Signals, settings: ThrottleSettings = SETTINGS, waiting: Wait | None = None
) -> WaitReason | None:
    wait = throttle(signals, settings, waiting)
    return None if wait is None else wait.code


def is_clear(signals: Signals, settings: ThrottleSettings, share: float) -> bool:
    """Said in the simplest way: every fact is known, and within this share of its limit."""
    return (
        not isinstance(signals.replicas, Unknown)
        and len(signals.replicas) >= settings.expected_replicas
        and all(
            not isinstance(replica.lag_bytes, Unknown)
            and replica.lag_bytes <= settings.max_lag_bytes * share
            and (replica.lag_seconds or 0) <= settings.max_lag_seconds * share
            for replica in signals.replicas
        )
        and signals.must_wait in {None, False}
        and (
            signals.value is None
            or (
                not isinstance(signals.value, Unknown)
                and (settings.max_value is None or signals.value <= settings.max_value)
            )
        )
    )


@given(every_signals, every_settings)
def test_a_run_goes_on_exactly_while_everything_is_known_and_within_its_limit(
    signals: Signals, settings: ThrottleSettings
) -> None:
    assert (throttle(signals, settings, None) is None) == is_clear(signals, settings, 1.0)


@given(every_signals, every_settings, every_wait)
def test_a_run_that_waits_for_a_replica_goes_on_only_well_below_the_limit(
    signals: Signals, settings: ThrottleSettings, waiting: Wait | None
) -> None:
    for_replica = waiting is not None and waiting.code.startswith("replica_")
    goes_on = throttle(signals, settings, waiting) is None
    assert goes_on == is_clear(signals, settings, RELIEF if for_replica else 1.0)


@given(every_signals, every_settings, every_wait)
def test_what_would_hold_a_run_that_writes_holds_one_that_waits(
    signals: Signals, settings: ThrottleSettings, waiting: Wait | None
) -> None:
    assume(throttle(signals, settings, None) is not None)
    assert throttle(signals, settings, waiting) is not None


@given(every_signals, every_settings, every_wait)
def test_every_reason_is_a_sentence_of_its_own(
    signals: Signals, settings: ThrottleSettings, waiting: Wait | None
) -> None:
    wait = throttle(signals, settings, waiting)
    if wait is not None:
        assert wait.code is not WaitReason.DUTY
        assert wait.reason


@given(st.lists(st.integers(0, 128 * MIB), max_size=30))
def test_a_lag_around_the_limit_is_no_reason_to_stop_and_go(lags: list[int]) -> None:
    waiting: Wait | None = None
    for lag in lags:
        before, waiting = waiting, throttle(seeing(standby(lag)), SETTINGS, waiting)
        if before is None and waiting is not None:
            assert lag > 64 * MIB
        if before is not None and waiting is None:
            assert lag <= 32 * MIB


@pytest.mark.parametrize(
    ("signals", "settings", "waiting", "wait"),
    [
        (
            seeing(standby(lag_seconds=12.34)),
            SETTINGS,
            None,
            Wait(
                WaitReason.REPLICA_LAG,
                "Replica standby1 is 12.3 s behind, the limit is 10 s.",
            ),
        ),
        (
            seeing(standby(), standby(80 * MIB), standby(70 * MIB)),
            SETTINGS,
            None,
            Wait(
                WaitReason.REPLICA_LAG_BYTES,
                "Replica standby1 has 80.0 MiB left to replay, the limit is 64.0 MiB.",
            ),
        ),
        (
            seeing(standby(40 * MIB)),
            SETTINGS,
            LAGGING,
            Wait(
                WaitReason.REPLICA_LAG_BYTES,
                "Replica standby1 has 40.0 MiB left to replay, healing goes on at 32.0 MiB.",
            ),
        ),
        (
            seeing(standby(lag_seconds=7)),
            SETTINGS,
            LAGGING,
            Wait(
                WaitReason.REPLICA_LAG,
                "Replica standby1 is 7.0 s behind, healing goes on at 5 s.",
            ),
        ),
        (
            seeing(standby()),
            replace(SETTINGS, expected_replicas=2),
            None,
            Wait(
                WaitReason.REPLICA_MISSING,
                "1 of 2 expected replicas is connected (standby1).",
            ),
        ),
        (
            QUIET,
            replace(SETTINGS, expected_replicas=1),
            None,
            Wait(WaitReason.REPLICA_MISSING, "0 of 1 expected replicas are connected."),
        ),
        (
            Signals(must_wait=True),
            SETTINGS,
            None,
            Wait(WaitReason.WAIT_WHILE, "The SQL of healing.pace.wait_while returns true."),
        ),
        (
            Signals(value=93.5),
            SETTINGS,
            None,
            Wait(
                WaitReason.PROMQL,
                "The query of healing.pace.promql returns 93.5, the limit is 80.",
            ),
        ),
        (
            Signals(replicas=Unknown("Away.")),
            SETTINGS,
            None,
            Wait(WaitReason.REPLICA_UNKNOWN, "Away."),
        ),
        (
            seeing(standby(Unknown("GRANT it."))),
            SETTINGS,
            None,
            Wait(WaitReason.REPLICA_UNKNOWN, "GRANT it."),
        ),
        (
            Signals(must_wait=Unknown("NULL.")),
            SETTINGS,
            None,
            Wait(WaitReason.WAIT_WHILE_UNKNOWN, "NULL."),
        ),
        (
            Signals(value=Unknown("No series.")),
            SETTINGS,
            None,
            Wait(WaitReason.PROMQL_UNKNOWN, "No series."),
        ),
    ],
)
def test_the_reason_says_what_was_found_and_what_the_limit_is(
    signals: Signals, settings: ThrottleSettings, waiting: Wait | None, wait: Wait
) -> None:
    assert throttle(signals, settings, waiting) == wait


@pytest.mark.parametrize("reason", WaitReason)
def test_whatever_was_wrong_with_a_replica_it_must_be_well_below_the_limits_again(
    reason: WaitReason,
) -> None:
    expected = WaitReason.REPLICA_LAG_BYTES if reason.startswith("replica_") else None
    assert code(seeing(standby(40 * MIB)), waiting=Wait(reason, "so far")) is expected


def test_bytes_are_believed_when_the_time_looks_healthy() -> None:
    assert code(seeing(standby(65 * MIB, lag_seconds=0.005))) is WaitReason.REPLICA_LAG_BYTES


def test_an_idle_standby_that_has_caught_up_holds_nothing() -> None:
    assert code(seeing(standby(0, lag_seconds=None))) is None


def test_nothing_is_waited_for_where_no_replica_is_expected_and_none_is_there() -> None:
    assert code(QUIET) is None


def test_a_query_far_off_in_either_direction_is_judged_by_its_limit() -> None:
    assert code(Signals(value=math.inf)) is WaitReason.PROMQL
    assert code(Signals(value=-math.inf)) is None
    assert code(Signals(value=80.0)) is None


class Times:
    """A clock that a test moves, and signals that count how often they are asked for."""

    def __init__(self) -> None:
        self.now = 100.0
        self.asked = 0
        self.signals = QUIET
        self.answers = asyncio.Event()
        self.answers.set()

    def clock(self) -> float:
        return self.now

    async def gather(self) -> Signals:
        self.asked += 1
        await self.answers.wait()
        return self.signals


def traffic(times: Times) -> Throttler:
    return Throttler(times.gather, SETTINGS, clock=times.clock)


async def test_signals_are_asked_for_at_most_once_a_second_while_batches_run() -> None:
    times = Times()
    looking = traffic(times)
    for _ in range(10):
        assert await looking.look(None) is None
    assert times.asked == 1
    times.now += SIGNAL_FRESH_SECONDS
    times.signals = Signals(must_wait=True)
    assert await looking.look(None) is not None
    assert times.asked == 2


async def test_a_run_that_waits_is_told_the_newest() -> None:
    times = Times()
    times.signals = Signals(must_wait=True)
    looking = traffic(times)
    wait = await looking.look(None)
    times.signals = QUIET
    assert wait is not None
    assert await looking.look(wait) is None
    assert times.asked == 2


async def test_what_was_asked_while_a_batch_was_committed_is_not_asked_again() -> None:
    times = Times()
    looking = traffic(times)
    await looking.look(None)
    times.now += SIGNAL_FRESH_SECONDS - 0.1
    times.signals = Signals(must_wait=True)
    looking.look_ahead()
    looking.look_ahead()
    times.now += 0.2  # the trip of the commit
    assert await looking.look(None) is not None
    assert times.asked == 2


async def test_signals_are_not_asked_ahead_more_than_twice_a_second() -> None:
    times = Times()
    looking = traffic(times)
    for _ in range(16):
        await looking.look(None)
        looking.look_ahead()
        await asyncio.sleep(0)  # it is answered at once
        times.now += SIGNAL_FRESH_SECONDS / 8
    assert times.asked == 4, "in two seconds, the first one included"


async def test_a_slow_answer_is_waited_for_once_the_known_ones_are_old() -> None:
    times = Times()
    looking = traffic(times)
    await looking.look(None)
    times.now += SIGNAL_FRESH_SECONDS / 2
    times.answers.clear()
    times.signals = Signals(must_wait=True)
    looking.look_ahead()
    async with asyncio.timeout(5):
        assert await looking.look(None) is None, "the known signals are fresh"
    times.now += SIGNAL_FRESH_SECONDS / 2
    look = asyncio.create_task(looking.look(None))
    await asyncio.sleep(0)
    assert not look.done()
    times.answers.set()
    assert await look is not None
    assert times.asked == 2


async def test_an_answer_asked_ahead_of_a_long_rest_is_asked_for_anew() -> None:
    times = Times()
    looking = traffic(times)
    await looking.look(None)
    times.now += SIGNAL_FRESH_SECONDS / 2
    looking.look_ahead()
    await asyncio.sleep(0)
    times.now += SIGNAL_FRESH_SECONDS
    times.signals = Signals(must_wait=True)
    assert await looking.look(None) is not None
    assert times.asked == 3


async def test_a_question_that_nobody_waits_for_any_more_is_ended() -> None:
    times = Times()
    looking = traffic(times)
    await looking.look(None)
    times.now += SIGNAL_FRESH_SECONDS
    times.answers.clear()
    looking.look_ahead()
    await looking.close()
    times.answers.set()
    assert await looking.look(None) is None, "whoever goes on asks anew"
    assert not [one for one in asyncio.all_tasks() if one is not asyncio.current_task()]
