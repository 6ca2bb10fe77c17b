"""The plans on nine million pairs: `python -m tests.plans`, or `make plans`.

Exit 1 when one is worse than was recorded. `--record` writes down what is found, of several passes
together, and says what was better and worse before.
"""

from __future__ import annotations

import argparse
import sys

from bench.gallery import Shape
from monitor.cli.logs import configure_logs
from tests.plans.gallery import LARGE, SMALL, observe, plan_server, record, recorded
from tests.plans.program import Seen
from tests.plans.record import better, either, worse


def main() -> int:
    """Read the command line, perform, say what was found."""
    configure_logs()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true", help="record anew what is found")
    parser.add_argument("--small", action="store_true", help="the size that make test takes")
    # Statistics are a sample: where two plans cost the same, either may be taken.
    parser.add_argument("--passes", type=int, default=2, help="galleries built for a record")
    parser.add_argument("--change", default="", help="SQL for the gallery before, to see it fail")
    parser.add_argument("--add", action="store_true", help="to what is recorded, not in its place")
    options = parser.parse_args()
    shape = SMALL if options.small else LARGE
    if options.record:
        _record(shape, options.passes, add=options.add)
        return 0
    return _compare(shape, options.change)


def _record(shape: Shape, passes: int, *, add: bool) -> None:
    before = recorded(shape)
    found = [_observed(shape).plans for _ in range(passes)]
    plans = either([before, *found] if add else found)
    if before:
        for line in (*worse(before, plans), *better(before, plans)):
            _say(line)
    record(shape, plans)


def _compare(shape: Shape, change: str) -> int:
    before, found = recorded(shape), _observed(shape, change).plans
    problems = worse(before, found)
    for line in problems:
        _say(line)
    for line in better(before, found):
        _say(f"{line} Record it: python -m tests.plans --record")
    _say(f"{sum(map(len, found.values()))} plans, {len(problems)} worse than recorded.")
    return 1 if problems else 0


def _observed(shape: Shape, change: str = "") -> Seen:
    with plan_server() as server:
        return observe(server, shape, change=change)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
