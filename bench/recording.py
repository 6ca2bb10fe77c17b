"""The recording-rate check on made-up traffic: `python -m bench.recording --seeds 200`.

Every seed is an app of its own (`bench.apps`), of one of four sizes in turn, watched from its
very first sample, with nothing to seed from: the first week is learning. No database, no
service: samples go straight into `checks.recording_rate`, one for each five minutes.

Quiet pass    Eight weeks without an outage. A false alarm is a change from pass to warn or worse.
Outage pass   The same traffic with outages planted in the weeks 3 to 8, one in two days, each of
              which stays in the history of the later ones. An outage begins and ends anywhere
              within an interval and covers 2 to 24 intervals whole. It is *found* if any sample
              that it has a part in warns or worse, *in time* if that sample ends no later than two
              whole intervals after it began.
Partial pass  The same with 70 % of the impressions lost.

What can be found depends on how much is lost: in a night with three impressions an hour, ten
minutes without one are nothing unusual, to anybody. So besides the share of all outages, which
has no goal, the shares with a goal are those of apps at which ten minutes tell at any hour, and of
all outages that cost COSTLY impressions or more.
"""

from __future__ import annotations

import argparse
import itertools
import os
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from bench.measures import Goal, Measure, percentile
from bench.options import RESULTS
from bench.report import Report, machine, publish
from bench.watching import PARTIAL, SIZES, WEEKS, App, Told, watch

LARGE = ("busy", "steady")
"""Sizes at which ten minutes tell, nights included."""
COSTLY = 100
FOUND_GOAL = Goal(95, at_most=False)
QUIET_GOAL = Goal(95, at_most=False)


def measure(first: int, seeds: int, processes: int) -> Report:
    """Watch `seeds` apps, from the seed `first` on, in several processes."""
    started = time.perf_counter()
    with ProcessPoolExecutor(processes) as pool:
        apps = list(pool.map(watch, range(first, first + seeds)))
    return report(apps, time.perf_counter() - started)


def report(apps: Sequence[App], seconds: float) -> Report:
    """What the apps amount to, watched in so many seconds."""
    full = [told for app in apps for told in app.full]
    return Report(
        name="recording",
        measures=(
            *_false_alarms(apps),
            *_found(apps),
            *_partial(apps),
            _cost(apps),
        ),
        facts={
            "seeds": len(apps),
            "weeks": WEEKS,
            "outages": len(full),
            "impressions_an_interval": ", ".join(f"{n} {rate:g}" for n, rate in SIZES.items()),
            "seconds": round(seconds),
        },
        details={"sizes": {size: _details(_of(apps, size)) for size in SIZES}},
    )


def _of(apps: Sequence[App], *sizes: str) -> list[App]:
    return [app for app in apps if app.size in sizes]


def _false_alarms(apps: Sequence[App]) -> Iterable[Measure]:
    alarms = [float(app.false_alarms) for app in apps]
    yield _share(
        "seeds with at most one false alarm in 8 quiet weeks",
        [app.false_alarms <= 1 for app in apps],
        QUIET_GOAL,
    )
    yield Measure("false alarms in 8 quiet weeks, on average", "", (sum(alarms) / len(alarms),))
    yield Measure("false alarms in 8 quiet weeks, the worst seed", "", (max(alarms),))


def _found(apps: Sequence[App]) -> Iterable[Measure]:
    large = [told for app in _of(apps, *LARGE) for told in app.full]
    every = [told for app in apps for told in app.full]
    costly = [told for told in every if told.lost >= COSTLY]
    sizes = " and ".join(LARGE)
    yield _share(f"outages found, {sizes} apps", [t.found for t in large], FOUND_GOAL)
    shortest = [t.found for t in large if t.outage.length == 2]
    yield _share(f"… of two intervals, {sizes} apps", shortest)
    yield _share(f"… within two intervals, {sizes} apps", [t.in_time for t in large])
    yield _share(f"… with the outcome fail, {sizes} apps", [t.failed for t in large])
    yield _share(
        f"outages found that cost {COSTLY} impressions, all apps",
        [t.found for t in costly],
        FOUND_GOAL,
    )
    for size in SIZES:
        found = [told.found for app in _of(apps, size) for told in app.full]
        yield _share(f"outages found, {size} apps", found)
    yield _share("outages found, all apps", [told.found for told in every])
    clear = [float(told.clear_after) for told in every if told.found]
    if clear:
        late = (percentile(clear, 0.95),)
        yield Measure("alarm lasts beyond the outage, 95th percentile", "intervals", late)


def _partial(apps: Sequence[App]) -> Iterable[Measure]:
    for size in SIZES:
        found = [told.found for app in _of(apps, size) for told in app.partial]
        yield _share(f"losses of {PARTIAL:.0%} found, {size} apps", found)


def _cost(apps: Sequence[App]) -> Measure:
    judged = sum(app.judgements for app in apps)
    return Measure("one judgement", "ms", (1000 * sum(app.seconds for app in apps) / judged,))


def _share(name: str, holds: Sequence[bool], goal: Goal | None = None) -> Measure:
    return Measure(name, "%", (100 * sum(holds) / len(holds) if holds else 0.0,), goal=goal)


def _details(apps: Sequence[App]) -> dict[str, object]:
    """What the JSON file tells of one size."""
    alarms = [app.false_alarms for app in apps]
    return {
        "seeds": len(apps),
        "false_alarms": {str(n): alarms.count(n) for n in sorted(set(alarms))},
        "samples_alarmed": sum(app.alarmed for app in apps),
        "full": _by_length([told for app in apps for told in app.full]),
        "partial": _by_length([told for app in apps for told in app.partial]),
    }


def _by_length(told: Sequence[Told]) -> dict[str, dict[str, int]]:
    """By the intervals that the outage covered at least: how many, found, in time, failed."""
    limits = (2, 3, 6, 12, 25)
    groups = {}
    for low, high in itertools.pairwise(limits):
        group = [each for each in told if low <= each.outage.length < high]
        groups[str(low)] = {
            "outages": len(group),
            "found": sum(each.found for each in group),
            "in_time": sum(each.in_time for each in group),
            "failed": sum(each.failed for each in group),
        }
    return groups


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=200, help="apps, four sizes in turn (200)")
    parser.add_argument(
        "--first-seed",
        type=int,
        default=0,
        help="tune on other seeds than those of the figures (0)",
    )
    parser.add_argument(
        "--processes", type=int, default=min(2, os.cpu_count() or 1), help="at a time (2)"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="where recording.json goes")
    options = parser.parse_args()
    found = measure(options.first_seed, options.seeds, options.processes)
    publish([found], machine(), options.results)


if __name__ == "__main__":
    main()
