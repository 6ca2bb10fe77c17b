"""The pace: how large batches get, how fast they shrink, and how long the run rests."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from monitor.healing.batch_size import (
    ALARM,
    COSTS,
    ENOUGH_COSTS,
    SAMPLES,
    START,
    TO_ALARM,
    TO_FLOOR,
    TO_GROW,
    TO_MEASURE,
    TO_SHRINK,
    WORTHWHILE,
    BatchCost,
    BatchSize,
    BatchTiming,
    Pace,
    PaceReason,
    PaceSettings,
    after_batch,
    after_timeout,
    first_pace,
    percentile90,
    rest_seconds,
)

SETTINGS = PaceSettings(batch_target_seconds=0.25, max_batch=10_000, duty=0.5)
KNOWN = (BatchCost(0.02, 200e-6),) * COSTS
"""A thousand rows take 220 ms, 100 rows as long as the fixed part."""

every_settings = st.builds(
    PaceSettings,
    batch_target_seconds=st.floats(0.01, 60),
    max_batch=st.integers(1, 100_000),
    duty=st.floats(0.01, 1),
)
batches = st.tuples(st.floats(0, 100), st.floats(0, 1))
"""Times of the target that it took, and the share of its size that was written."""
known_costs = st.builds(BatchCost, st.floats(0, 10), st.floats(0, 0.01))
every_pace = st.builds(
    Pace,
    st.integers(1, 100_000),
    st.sampled_from(PaceReason),
    costs=st.lists(known_costs, max_size=COSTS).map(tuple),
)


@dataclass(frozen=True)
class Server:
    """Batches on it take a fixed part, and so much for each row."""

    fixed: float
    per_row: float

    def seconds(self, rows: int) -> float:
        return self.fixed + self.per_row * rows

    def best(self, settings: PaceSettings) -> float:
        """The size whose batches take the target; or as long for the rows as without any."""
        fits = (settings.batch_target_seconds - self.fixed) / self.per_row
        return max(1.0, min(settings.max_batch, max(fits, self.fixed / self.per_row)))


def scattered(seconds: float, chance: random.Random) -> float:
    """One in three timings is off by a third or more."""
    return seconds * chance.lognormvariate(0, 0.3)


@st.composite
def servers(draw: st.DrawFn, target: float, most_fixed: float = 0.4) -> Server:
    """The fixed part is a share of the target."""
    fixed = draw(st.floats(0.001, most_fixed)) * target
    return Server(fixed, 10 ** draw(st.floats(-6, -3)))


Noise = Callable[[float, random.Random], float]
"""From the seconds that a batch takes in quiet to those that it takes now."""


def noises(target: float) -> st.SearchStrategy[Noise]:
    """Up to ten times the target: always the same beside it, as many times slower, or by chance."""
    share = st.floats(0.1, 10)
    return st.one_of(
        share.map(lambda by: lambda seconds, _: seconds + by * target),
        share.map(lambda by: lambda seconds, _: seconds * (1 + by)),
        share.map(lambda by: lambda seconds, chance: seconds + chance.uniform(0, by) * target),
        share.map(lambda by: lambda seconds, chance: seconds + chance.choice((0.0, by)) * target),
    )


class Simulation:
    """A run on a server that is as fast as its model says, give or take a little."""

    def __init__(self, server: Server, settings: PaceSettings, pace: Pace, seed: int = 0) -> None:
        self._server = server
        self._settings = settings
        self._chance = random.Random(seed)
        self.pace = pace

    def batches(
        self, number: int, *, noise: Noise | None = None, jitter: float = 0.02
    ) -> list[int]:
        """So many batches: their sizes."""
        sizes = []
        for _ in range(number):
            rows = self.pace.next_size.rows
            seconds = self._server.seconds(rows) * (1 + self._chance.uniform(-jitter, jitter))
            if noise is not None:
                seconds = noise(seconds, self._chance)
            sizes.append(rows)
            self.pace = after_batch(self.pace, self._settings, BatchTiming(rows, rows, seconds))
        return sizes


def ran(pace: Pace, settings: PaceSettings, *results: tuple[float, float]) -> list[Pace]:
    """Every pace of a run with these batches, the first one included."""
    paces = [pace]
    for slowness, share in results:
        rows = math.floor(share * pace.size)
        seconds = slowness * settings.batch_target_seconds
        pace = after_batch(pace, settings, BatchTiming(pace.size, rows, seconds))
        paces.append(pace)
    return paces


def is_step_to_floor(pace: Pace) -> bool:
    """What it was grown for has yet to be confirmed."""
    return pace.why is PaceReason.FLOOR and pace.before is not None


def steps(paces: list[Pace]) -> list[tuple[Pace, Pace]]:
    return list(pairwise(paces))


def sizes(paces: Sequence[Pace]) -> list[int]:
    return [pace.size for pace in paces]


# -- On simulated servers ------------------------------------------------------------------------


@given(st.data(), every_settings, st.integers(0, 60), st.integers(0, 2**32))
def test_from_any_start_and_any_noise_it_is_back_within_twenty_quiet_batches(
    data: st.DataObject, settings: PaceSettings, noisy: int, seed: int
) -> None:
    target = settings.batch_target_seconds
    server = data.draw(servers(target))
    start = data.draw(st.integers(1, settings.max_batch))
    run = Simulation(server, settings, Pace(start), seed)
    run.batches(noisy, noise=data.draw(noises(target)))
    quiet = run.batches(20)
    # The last one may be one that measures.
    assert max(quiet[-2:]) >= math.floor(0.7 * server.best(settings))


@given(st.data(), every_settings, st.floats(2, 100), st.integers(0, 2**32))
def test_batches_that_are_not_over_in_time_shrink_until_they_are_and_never_come_back(
    data: st.DataObject, settings: PaceSettings, patience: float, seed: int
) -> None:
    server = data.draw(servers(settings.batch_target_seconds))
    timeout = patience * settings.batch_target_seconds
    start = data.draw(st.integers(1, settings.max_batch))
    run = Simulation(server, settings, Pace(start, costs=data.draw(every_pace).costs), seed)
    too_slow = [0]
    while server.seconds(run.pace.next_size.rows) > timeout:
        too_slow.append(run.pace.next_size.rows)
        slower = after_timeout(run.pace)
        assert slower is not None
        run.pace = slower
    assert len(too_slow) - 1 <= math.ceil(math.log10(start))
    quiet = run.batches(20)
    assert max(quiet[-2:]) >= math.floor(0.7 * server.best(settings))
    if len(too_slow) > 1:
        assert server.seconds(max(quiet)) < timeout


@given(st.data(), every_settings, st.integers(0, 2**32))
def test_where_the_fixed_part_is_more_than_the_target_it_finds_the_floor_all_the_same(
    data: st.DataObject, settings: PaceSettings, seed: int
) -> None:
    server = data.draw(servers(settings.batch_target_seconds, most_fixed=20))
    start = data.draw(st.integers(1, settings.max_batch))
    run = Simulation(server, settings, Pace(start), seed)
    run.batches(20)
    best = server.best(settings)
    assert max(run.batches(2)) >= math.floor(0.7 * best)


@given(st.data(), every_settings, st.integers(0, 2**32))
def test_in_quiet_sizes_differ_by_no_more_than_a_factor_of_two(
    data: st.DataObject, settings: PaceSettings, seed: int
) -> None:
    server = data.draw(servers(settings.batch_target_seconds, most_fixed=5))
    run = Simulation(server, settings, first_pace(settings), seed)
    run.batches(40, jitter=0.01)
    quiet = run.batches(60, jitter=0.01)
    # A floor is known as well as timings are, and of a few rows parts are rounded down.
    assert max(quiet) <= 2 * 1.1 * min(quiet) + 3


@given(st.data(), every_settings, st.integers(0, 2**32))
def test_a_batch_in_quiet_takes_its_target_or_twice_the_fixed_part_and_little_more(
    data: st.DataObject, settings: PaceSettings, seed: int
) -> None:
    server = data.draw(servers(settings.batch_target_seconds, most_fixed=5))
    run = Simulation(server, settings, first_pace(settings), seed)
    run.batches(40)
    most = max(settings.batch_target_seconds, 2 * server.fixed)
    small = server.seconds(1)  # no batch is smaller
    assert all(server.seconds(rows) <= 1.3 * max(most, small) for rows in run.batches(30))


@given(
    st.floats(0.001, 0.22).map(lambda share: share * 0.25),
    st.floats(0.5, 10).map(lambda best: 0.25 / (best * 1000)),
    st.integers(0, 2**32),
)
def test_a_run_of_90_000_rows_writes_at_nine_tenths_of_the_rate_of_its_best_size(
    fixed: float, per_row: float, seed: int
) -> None:
    server = Server(fixed, per_row)
    run = Simulation(server, SETTINGS, first_pace(SETTINGS), seed)
    rows, seconds = 0, 0.0
    while rows < 90_000:
        (written,) = run.batches(1)
        rows += written
        seconds += server.seconds(written)
    best = server.best(SETTINGS)
    assert rows / seconds >= 0.9 * best / server.seconds(math.floor(best))


@given(st.integers(1, 100), st.integers(0, 60), st.data())
def test_a_fixed_part_of_twice_the_target_never_makes_a_run_crawl(
    rows_in_fixed: int, noisy: int, data: st.DataObject
) -> None:
    # Three round trips of 150 ms and more, or a process that waits for the processor.
    server = Server(0.54, 0.54 / (rows_in_fixed * 100))
    run = Simulation(server, SETTINGS, first_pace(SETTINGS))
    run.batches(noisy, noise=data.draw(noises(0.25)))
    written = run.batches(40)
    assert max(written[30:]) >= 0.7 * server.best(SETTINGS)


@pytest.mark.parametrize(
    ("fixed", "per_row"),
    [(0.1, 0.01), (0.02, 0.01), (0.1, 0.002), (0.02, 0.0002), (0.6, 0.0006), (2.0, 0.0005)],
)
def test_a_floor_made_of_noise_never_makes_batches_grow_without_end(
    fixed: float, per_row: float
) -> None:
    server = Server(fixed, per_row)
    share = 1 / max(SETTINGS.batch_target_seconds, 2 * fixed)
    longest = []
    rates = []
    for seed in range(20):
        run = Simulation(server, SETTINGS, first_pace(SETTINGS), seed)
        run.batches(20, noise=scattered)
        written = run.batches(300, noise=scattered)
        longest.append(share * max(map(server.seconds, written)))
        rates.append(sum(written) / sum(map(server.seconds, written)))
    longest.sort()
    # Of each run the batch that takes longest, were it not for the noise.
    assert longest[17] <= 10
    assert longest[-1] <= 15
    best = server.best(SETTINGS)
    assert median(rates) >= 0.6 * best / server.seconds(math.floor(best))


# -- Bounds --------------------------------------------------------------------------------------


@given(every_settings, st.lists(batches, max_size=40))
def test_a_batch_always_has_between_one_row_and_the_most_allowed(
    settings: PaceSettings, results: list[tuple[float, float]]
) -> None:
    for pace in ran(first_pace(settings), settings, *results):
        assert 1 <= pace.size <= settings.max_batch
        assert 1 <= pace.next_size.rows <= pace.size


@given(every_settings, st.lists(batches, max_size=40))
def test_a_batch_grows_beyond_what_fits_its_target_only_to_the_floor_or_to_measure(
    settings: PaceSettings, results: list[tuple[float, float]]
) -> None:
    paces = ran(first_pace(settings), settings, *results)
    for (before, after), (slowness, share) in zip(steps(paces), results, strict=True):
        if after.size <= max(2, before.size):
            continue
        if after.why is PaceReason.FLOOR:
            assert after.size <= min(TO_FLOOR * before.size, after.floor)
        elif after.why is PaceReason.MEASURED:
            assert math.floor(after.size * TO_MEASURE) == before.size or before.size == 1
        elif slowness:
            assert after.size <= math.floor(share * before.size) / slowness * 1.001


@given(
    every_settings, st.lists(batches, max_size=20), st.floats(ALARM * 1.001, 1000), st.floats(0, 1)
)
def test_a_batch_far_over_its_target_shrinks_the_next_to_a_tenth_at_once_or_to_the_floor(
    settings: PaceSettings, results: list[tuple[float, float]], slowness: float, share: float
) -> None:
    pace = ran(first_pace(settings), settings, *results)[-1]
    assume(not is_step_to_floor(pace))
    *_, after = ran(pace, settings, (slowness, share))
    if after.why is PaceReason.ALARM and after.size < pace.size:
        assert after.size == max(1, pace.size // 10, after.floor)
    else:
        assert pace.size == 1 or after.floor >= pace.size


@given(every_pace, st.none() | st.integers(1, 100_000))
def test_a_batch_that_was_not_over_in_time_is_followed_by_a_tenth_that_trusts_no_measurement(
    pace: Pace, refused: int | None
) -> None:
    pace = replace(pace, refused=refused)
    rows = pace.next_size.rows
    slower = after_timeout(pace)
    if rows == 1:
        assert slower is None
    else:
        assert slower == Pace(max(1, rows // TO_ALARM), PaceReason.TIMEOUT)


@given(every_pace, every_settings, st.floats(0, 100), st.floats(0, 1), st.integers(0, 3))
def test_nothing_shrinks_a_batch_below_the_floor_but_a_measurement(
    pace: Pace, settings: PaceSettings, slowness: float, share: float, blocked: int
) -> None:
    pace = replace(pace, size=min(pace.size, settings.max_batch))
    seconds = slowness * settings.batch_target_seconds
    timing = BatchTiming(pace.size, math.floor(share * pace.size), seconds, blocked)
    after = after_batch(pace, settings, timing)
    if after.why is PaceReason.MEASURE:
        assert after.size in {pace.size, math.floor(pace.size * TO_MEASURE), 2}
    else:
        assert after.size >= min(pace.size, after.floor)


@given(every_settings, st.lists(st.tuples(st.floats(0, 100), st.floats(0, 0.49)), max_size=40))
def test_batches_that_wrote_little_never_make_the_next_one_larger(
    settings: PaceSettings, results: list[tuple[float, float]]
) -> None:
    start = Pace(max(2, settings.max_batch // 3))
    for before, after in steps(ran(start, settings, *results)):
        assert after.size <= before.size


@given(every_settings, st.lists(batches, max_size=40))
def test_timings_of_different_sizes_are_never_mixed(
    settings: PaceSettings, results: list[tuple[float, float]]
) -> None:
    for before, after in steps(ran(first_pace(settings), settings, *results)):
        assert len(after.timings) <= SAMPLES
        assert len(after.costs) <= COSTS
        if after.size != before.size:
            assert after.timings == ()


@given(every_settings, st.floats(0, 0.4))
def test_fast_full_batches_reach_the_most_allowed_even_from_a_single_row(
    settings: PaceSettings, slowness: float
) -> None:
    assert ran(Pace(1), settings, *[(slowness, 1.0)] * 60)[-1].size == settings.max_batch


@given(every_settings, st.integers(1, 100_000))
def test_no_more_than_half_is_lost_to_batches_that_are_merely_slow(
    settings: PaceSettings, size: int
) -> None:
    pace = Pace(min(size, settings.max_batch))
    after = ran(pace, settings, *[(ALARM * 0.99, 1.0)] * TO_SHRINK)[-1]
    assert after.size == max(1, pace.size // 2)


@given(every_settings, st.lists(batches, max_size=20), st.floats(0, 100), st.integers(1, 50))
def test_a_batch_that_others_waited_for_is_followed_by_one_of_half_its_size_or_the_floor(
    settings: PaceSettings, results: list[tuple[float, float]], slowness: float, blocked: int
) -> None:
    pace = ran(first_pace(settings), settings, *results)[-1]
    assume(not is_step_to_floor(pace))
    seconds = slowness * settings.batch_target_seconds
    after = after_batch(pace, settings, BatchTiming(pace.size, pace.size, seconds, blocked))
    part = 10 if seconds >= ALARM * settings.batch_target_seconds else 2
    assert after.size == min(pace.size, max(1, pace.size // part, after.floor))


def test_a_batch_that_others_waited_for_while_it_measured_does_not_grow_again() -> None:
    cost = BatchCost(0.2, 0.2 / 600)  # the floor is where it is
    home = BatchTiming(1000, 1000, 0.5)
    pace = Pace(600, PaceReason.MEASURE, before=home, costs=(cost,) * COSTS)
    assert after_batch(pace, SETTINGS, BatchTiming(600, 600, 0.4, 1)).size == 600
    assert after_batch(pace, SETTINGS, BatchTiming(600, 600, 0.4, 0)).size == 1000


@given(every_settings, st.lists(batches, max_size=60))
def test_a_size_changes_only_when_it_is_worth_measuring_anew(
    settings: PaceSettings, results: list[tuple[float, float]]
) -> None:
    for before, after in steps(ran(first_pace(settings), settings, *results)):
        if after.size > before.size:
            assert after.size >= min(settings.max_batch, WORTHWHILE * before.size)


@given(every_settings, st.lists(batches, max_size=60))
def test_a_batch_shrinks_only_after_two_slow_ones_or_an_alarm_or_to_measure(
    settings: PaceSettings, results: list[tuple[float, float]]
) -> None:
    paces = ran(first_pace(settings), settings, *results)
    for (before, after), (slowness, _) in zip(steps(paces), results, strict=True):
        if is_step_to_floor(before) and after.size < before.size:
            assert before.timings
        elif after.size < before.size and slowness < ALARM * 0.999:
            assert after.size >= before.size // 2 or after.why is PaceReason.MEASURE
            if after.why is PaceReason.MEASURE:
                continue
            seconds = slowness * settings.batch_target_seconds
            timings = [*(one.seconds for one in before.timings), seconds]
            slow = [t for t in timings[-SAMPLES:] if t > settings.batch_target_seconds]
            assert len(slow) >= TO_SHRINK


# -- One by one ----------------------------------------------------------------------------------


def test_a_run_begins_with_a_thousand_rows_or_the_most_allowed() -> None:
    assert first_pace(SETTINGS) == Pace(START)
    assert first_pace(PaceSettings(0.25, 30, 0.5)) == Pace(30)


def test_one_slow_batch_is_an_accident_and_two_are_not() -> None:
    pace = Pace(1000, costs=KNOWN)
    paces = ran(pace, SETTINGS, (2.0, 1.0), (0.95, 1.0), (0.95, 1.0), (2.0, 1.0))
    assert sizes(paces) == [1000, 1000, 1000, 1000, 500]


def test_one_slow_batch_among_ten_is_left_out_of_the_90th_percentile() -> None:
    timings = [BatchTiming(1000, 1000, seconds) for seconds in (9.0, *[0.1] * 9)]
    assert percentile90(timings) == 0.1


def test_only_the_newest_timings_are_judged() -> None:
    paces = ran(Pace(1000, costs=KNOWN), SETTINGS, (4.0, 1.0), *[(0.95, 1.0)] * SAMPLES)
    assert {timing.seconds for timing in paces[-1].timings} == {0.95 * 0.25}
    assert sizes(paces) == [1000] * (SAMPLES + 2)


def test_exactly_five_times_the_target_is_an_alarm() -> None:
    assert ran(Pace(1000), SETTINGS, (ALARM, 1.0))[-1].size == 100


def test_one_fast_batch_grows_to_all_that_fits_where_that_is_much() -> None:
    assert sizes(ran(Pace(1000), SETTINGS, (0.25, 1.0))) == [1000, 4000]
    assert sizes(ran(Pace(1000), SETTINGS, (0.01, 1.0))) == [1000, 10_000]


def test_near_the_target_growth_waits_for_three_timings() -> None:
    paces = ran(Pace(1000, costs=KNOWN), SETTINGS, *[(0.8, 1.0)] * 3)
    assert sizes(paces) == [1000, 1000, 1000, 1250]


@pytest.mark.parametrize(
    "why", [PaceReason.ALARM, PaceReason.TIMEOUT, PaceReason.SLOW, PaceReason.BLOCKED]
)
def test_after_a_disturbance_growth_waits_for_three_timings(why: PaceReason) -> None:
    paces = ran(Pace(1000, why), SETTINGS, *[(0.25, 1.0)] * 3)
    grown = 1500 if why is PaceReason.BLOCKED else 4000
    assert sizes(paces) == [1000, 1000, 1000, grown]


def test_a_batch_that_wrote_exactly_half_still_speaks_for_larger_ones() -> None:
    paces = ran(Pace(1000), SETTINGS, (0.1, 0.5))
    assert paces[-1].size == 5000


def test_a_size_that_would_stay_is_left_once_while_the_fixed_part_is_not_known() -> None:
    paces = ran(Pace(1000), SETTINGS, *[(0.95, 1.0)] * TO_GROW, (0.9, 1.0))
    assert sizes(paces) == [1000, 1000, 1000, 600, 1000]
    assert [pace.why for pace in paces[-2:]] == [PaceReason.MEASURE, PaceReason.MEASURED]
    assert len(paces[-1].costs) == 1
    assert paces[-1].costs[0].fixed == pytest.approx(0.25 * (0.9 - 0.05 * 600 / 400))


def test_what_came_between_two_batches_is_no_measurement() -> None:
    for slowness in (4.0, 0.01):  # half the rows took far longer, or a hundredth
        before = BatchTiming(1000, 1000, 0.2)
        pace = Pace(500, PaceReason.MEASURE, before=before)
        timing = BatchTiming(500, 500, 0.2 * slowness)
        assert after_batch(pace, SETTINGS, timing).costs == ()


def test_a_measurement_from_a_disturbance_is_forgotten_when_batches_are_fast_again() -> None:
    disturbed = BatchCost(2.0, 50e-6)
    pace = Pace(10_000, costs=(disturbed,) * COSTS)
    *_, before, after = ran(pace, SETTINGS, *[(0.9, 1.0)] * TO_GROW)
    assert (before.costs, after.costs) == (pace.costs, ())
    assert after.floor == 1


def test_of_two_measurements_the_lower_floor_holds_of_three_the_one_between() -> None:
    floors = [BatchCost(0.1, 0.1 / rows) for rows in (3000, 400, 500)]
    assert [Pace(1, costs=tuple(floors[:n])).floor for n in range(4)] == [1, 3000, 400, 500]


def test_below_the_floor_a_batch_grows_although_it_is_over_its_target() -> None:
    known = (BatchCost(0.5, 50e-6),) * ENOUGH_COSTS  # 10,000 rows
    paces = ran(Pace(100, PaceReason.MEASURE, costs=known), SETTINGS, (2.0, 1.0), (2.1, 1.0))
    assert [(pace.size, pace.why) for pace in paces[1:]] == [
        (400, PaceReason.FLOOR),
        (1600, PaceReason.FLOOR),
    ]


def stepped(*seconds: float) -> list[Pace]:
    """After batches of 400 rows that take so long, where 100 seemed to take the fixed part."""
    made_of_noise = (BatchCost(0.5, 0.0),) * COSTS
    before = BatchTiming(100, 100, 0.5)
    pace = Pace(400, PaceReason.FLOOR, before=before, costs=made_of_noise)
    return ran(pace, SETTINGS, *((one / SETTINGS.batch_target_seconds, 1.0) for one in seconds))


def test_a_step_to_a_floor_that_two_batches_contradict_is_taken_back_with_its_measurements() -> (
    None
):
    *_, once, twice = stepped(2.0, 2.0)
    assert (once.size, once.why, len(once.costs)) == (400, PaceReason.FLOOR, COSTS)
    assert (twice.size, twice.why, twice.costs) == (100, PaceReason.ALARM, ())


def test_a_step_to_a_floor_that_one_batch_contradicts_is_judged_by_the_next() -> None:
    *_, once, twice = stepped(1.1, 0.5)
    assert once.size == 400
    assert twice.size == 1600


def test_a_step_to_a_floor_that_others_waited_for_is_taken_back_after_one_batch() -> None:
    after = after_batch(stepped()[0], SETTINGS, BatchTiming(400, 400, 2.0, 1))
    assert (after.size, after.why, after.costs) == (100, PaceReason.BLOCKED, ())


def test_a_refused_row_costs_the_pace_nothing_and_its_size_is_back_by_doubling() -> None:
    pace = Pace(1000, PaceReason.FAST, costs=KNOWN)
    asked = pace.next_size
    while asked.rows > 1:
        asked = asked.halved()
    assert asked == BatchSize(1, PaceReason.REFUSED)
    rows: list[int] = []
    while not rows or rows[-1] < 1000:
        pace = after_batch(pace, SETTINGS, BatchTiming(asked.rows, asked.rows, 0.01))
        asked = pace.next_size
        rows.append(asked.rows)
    assert rows == [2, 4, 8, 16, 32, 64, 128, 256, 512, 1000]
    assert asked == BatchSize(1000, PaceReason.FAST)
    assert pace.timings == ()


@given(every_pace, st.integers(1, 1000), st.floats(0, 1000), st.integers(0, 9))
def test_a_batch_that_was_halved_says_nothing_about_the_pace(
    pace: Pace, part: int, seconds: float, blocked: int
) -> None:
    assume(part < pace.size)
    after = after_batch(pace, SETTINGS, BatchTiming(part, part, seconds, blocked))
    assert replace(after, refused=None) == pace


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [((3.0,), 3.0), ((1.0, 2.0, 3.0, 4.0, 5.0), 5.0), (tuple(range(1, 11)), 9)],
)
def test_the_90th_percentile_is_the_nearest_rank(
    seconds: tuple[float, ...], expected: float
) -> None:
    assert percentile90([BatchTiming(1, 1, one) for one in seconds]) == expected


@given(st.floats(0, 1000), st.floats(0.01, 1))
def test_the_rest_keeps_writing_at_its_share_of_the_time(busy: float, duty: float) -> None:
    rest = rest_seconds(busy, duty)
    assert rest >= 0
    assert math.isclose(busy, duty * (busy + rest), rel_tol=1e-9, abs_tol=1e-12)


def test_full_duty_never_rests() -> None:
    assert rest_seconds(10.0, 1.0) == 0
