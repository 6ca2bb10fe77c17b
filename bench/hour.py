"""What conservator costs an app in an hour of its ordinary life: `python -m bench.hour`.

The app records views, and every five minutes an artwork becomes legacy that an eighth of the users
have not seen; the service, with default config but for healing.mode, heals it. Five minutes are
measured and an hour is computed, from what comes by the second and what comes by the artwork:

    the app alone    views, no service, over four windows
    by the second    views and the service by default, nothing becomes legacy: its cost a second,
                     less the app's, over as many. Checks that come more rarely than these last
                     are run by themselves, and added with what the server used for each.
    by the artwork   a census every few seconds, so that there is something to measure: artworks
                     become legacy in a window, less what a second costs by the same settings while
                     nothing does. From the census that finds one to the one that is published.

An hour is 3,600 of the second and twelve of the last. Of the database everything counts: each
process of the server, and with it parallel workers, autovacuum and what its log of changes takes.
"""

from __future__ import annotations

import statistics
import subprocess
import sysconfig
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bench.alone import alone
from bench.costs import HOUR, Cost, after_a_rest, between, read
from bench.errors import BenchmarkError
from bench.gallery import HEALED
from bench.measures import Goal, Measure
from bench.options import Options
from bench.progress import note
from bench.report import Report
from bench.servers import copied, statement
from bench.visitors import Visitors
from bench.watched import Watched, watching
from monitor.status import CENSUS, STRUCTURE
from tests.support.postgres import PostgresServer

GOAL = Goal(1.0)
"""Percent of one core, of database and service together."""
ARTWORKS_AN_HOUR = 12
VISITS_A_SECOND = 5.0

_COPY = "gallery_hour"
_HEAL = "healing: {mode: heal}\n"
_OFTEN = (
    "healing: {mode: heal, cooldown: 1s}\n"
    # Without a larger budget the census of a large gallery would not come so often.
    "checks: {census: {every: 7s, budget: 100%}}\n"
)
_EVERY_SECONDS = 20.0
"""Between artworks, so that each has a run of its own."""
_LEAD_SECONDS = 2.0
_MISSING = 0.125
_PATIENCE_SECONDS = 120.0
_LITTLE = "artwork_supply"
"""A check that reads one entry of an index."""
_TIMES = 3
_WINDOWS = 4
"""Of each of the two whose difference an hour has sixty times: of a single census the processor
time varies by half."""
_WARM_UP_SECONDS = 5.0
_SEEN = "SELECT count(*) FROM user_art_impressions AS i WHERE i.artwork_id = ANY (%s)"
"""Their pairs that are recorded, by a run or because a visitor came by."""
_RUNS = """
SELECT count(DISTINCT b.run_id)
FROM conservator.backfilled_impression AS b WHERE b.artwork_id = ANY (%s)
"""


@dataclass(frozen=True, slots=True)
class Use:
    """What was used, or is used a second."""

    database_cpu: float
    """Seconds, of all processes of the server."""
    service_cpu: float
    bytes: float
    """Of blocks that were read, from memory or not."""
    wal: float

    @classmethod
    def of(cls, cost: Cost) -> Use:
        """Between two readings."""
        return cls(cost.database_cpu, cost.service_cpu, cost.bytes, float(cost.wal))

    def __add__(self, other: Use) -> Use:
        return Use(
            self.database_cpu + other.database_cpu,
            self.service_cpu + other.service_cpu,
            self.bytes + other.bytes,
            self.wal + other.wal,
        )

    def __mul__(self, times: float) -> Use:
        return Use(
            self.database_cpu * times,
            self.service_cpu * times,
            self.bytes * times,
            self.wal * times,
        )

    def __sub__(self, other: Use) -> Use:
        return self + other * -1


@dataclass(frozen=True, slots=True)
class Hour:
    """An hour's use, by what it comes from."""

    app: Use
    by_the_second: Use
    rare: Use
    """Of checks that come more rarely than a window lasts."""
    an_artwork: Use

    def rows(self) -> tuple[Measure, ...]:
        """Each of them, and their sum."""
        all_of_it = self.by_the_second + self.rare + self.an_artwork * ARTWORKS_AN_HOUR
        percent = 100 * (all_of_it.database_cpu + all_of_it.service_cpu) / HOUR
        return (
            *_rows("an hour of the app alone", self.app),
            *_rows("conservator, by the second, an hour", self.by_the_second),
            Measure("… checks that come rarely: database CPU", "s", (self.rare.database_cpu,)),
            *_rows("conservator, for an artwork that becomes legacy", self.an_artwork),
            *_rows("conservator, an hour", all_of_it),
            Measure("database and service, of one core", "%", (percent,), goal=GOAL),
        )


def measure(server: PostgresServer, options: Options) -> Report:
    """On a copy of the healed gallery, which must be there already."""
    seconds, artworks = options.steady_seconds, options.hour_artworks
    with copied(server, HEALED, _COPY) as database:
        conninfo = server.conninfo(database)
        with psycopg.connect(conninfo, autocommit=True) as connection:
            values = {"artworks": artworks, "missing": _MISSING}
            young: dict[str, int] = dict(
                connection.execute(statement("young_artworks"), values).fetchall()
            )
            whole = sum(young.values()) + _count(connection, _SEEN, young)
            connection.execute("VACUUM (ANALYZE) art_sessions, user_art_impressions")
        output = server.socket_dir / "visits.txt"
        # What a visitor asks would be many times what is measured.
        with Visitors(conninfo, VISITS_A_SECOND, output, reads=False):
            app = _app_alone(server, database, _WINDOWS * seconds)
            note("an hour: the service by default")
            with watching(server, database, _HEAL) as watched:
                watched.wait_for_checks()
                before = _last_runs(watched)
                default = watched.whole_intervals(_WINDOWS * seconds)
                after = _last_runs(watched)
                rarely = _rare_checks(server, watched, default)
                every = {one["name"]: float(one["interval_seconds"]) for one in watched.checks()}
                fell_in = sum(cost for name, cost in rarely.items() if before[name] != after[name])
            note(f"an hour: {artworks} artworks become legacy")
            with watching(server, database, _OFTEN) as watched:
                watched.wait_for_checks()
                often = watched.whole_intervals(seconds)
                ageing = _age(watched, conninfo, young, whole)
    by_default = Use.of(default) - Use(fell_in, 0.0, 0.0, 0.0)
    a_second = by_default * (1 / default.seconds) - Use.of(app) * (1 / app.seconds)
    idle = Use.of(often) * (ageing.seconds / often.seconds)
    hourly = {name: cost * HOUR / every[name] for name, cost in rarely.items()}
    hour = Hour(
        app=Use.of(app) * (HOUR / app.seconds),
        by_the_second=a_second * HOUR,
        rare=Use(sum(hourly.values()), 0.0, 0.0, 0.0),
        an_artwork=(Use.of(ageing) - idle) * (1 / artworks),
    )
    return Report(
        "hour",
        hour.rows(),
        {
            "views_a_second": VISITS_A_SECOND,
            "artworks_an_hour": ARTWORKS_AN_HOUR,
            "artworks_measured": artworks,
            "pairs_of_each": round(sum(young.values()) / artworks),
            "the_same_work_after_a_rest": round(after_a_rest(), 1),
            **{f"{name}_seconds": round(took, 1) for name, took in sorted(hourly.items())},
            "seconds_of_the_app_alone": round(app.seconds),
            "seconds_by_default": round(default.seconds),
            "seconds_often_and_nothing_legacy": round(often.seconds),
            "seconds_often_and_ageing": round(ageing.seconds),
        },
    )


def _rows(name: str, use: Use) -> tuple[Measure, ...]:
    return (
        Measure(f"{name}: database CPU", "s", (use.database_cpu,)),
        Measure("… service CPU", "s", (use.service_cpu,)),
        Measure("… blocks read", "GB", (use.bytes / 1e9,)),
        Measure("… WAL", "MB", (use.wal / 1e6,)),
    )


def _app_alone(server: PostgresServer, database: str, seconds: float) -> Cost:
    note("an hour: the app alone")
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        time.sleep(_WARM_UP_SECONDS)
        before = read(connection, database, server, None)
        time.sleep(seconds)
        return between(before, read(connection, database, server, None))


def _last_runs(watched: Watched) -> dict[str, str]:
    return {one["name"]: str(one["last_run"]) for one in watched.checks()}


def _rare_checks(server: PostgresServer, watched: Watched, default: Cost) -> dict[str, float]:
    """Seconds of the server's processors that each check takes of which the window `default` may
    have had none, beyond what a second costs there. They are run once more: the first run of one
    reads weeks back."""
    program = Path(sysconfig.get_path("scripts")) / "conservator"
    config = str(server.socket_dir / "config.yaml")

    def used_by(name: str) -> float:
        before = watched.read()
        command = [str(program), "-c", config, "check", name, "--json"]
        ran = subprocess.run(command, capture_output=True, check=False)
        if ran.returncode not in (0, 1, 2):
            raise BenchmarkError(f"{name} could not be run: {(ran.stderr or ran.stdout).decode()}")
        cost = between(before, watched.read())
        return cost.database_cpu - default.database_cpu * cost.seconds / default.seconds

    def usual(name: str) -> float:
        # A census of the service may come in the middle of one.
        return statistics.median(used_by(name) for _ in range(_TIMES))

    # Such a command reads the catalogue, too, which the service does with `structure`.
    catalogue = usual(_LITTLE)
    # Of the census the window is a whole number of intervals, however long it is.
    rare = [
        one["name"]
        for one in watched.checks()
        if float(one["interval_seconds"]) > default.seconds and one["name"] != CENSUS
    ]
    used = {name: usual(name) - (0.0 if name == STRUCTURE else catalogue) for name in rare}
    return {name: max(0.0, cost) for name, cost in used.items()}


def _count(connection: psycopg.Connection, statement: str, artworks: Iterable[str]) -> int:
    found = connection.execute(statement, (list(artworks),)).fetchone()
    return 0 if found is None else int(found[0])


def _age(watched: Watched, conninfo: str, young: dict[str, int], whole: int) -> Cost:
    """From the moment at which the artworks grow old until all of their pairs are recorded, `whole`
    of them, and another census has been taken."""
    values = {"artworks": list(young), "lead": _LEAD_SECONDS, "every": _EVERY_SECONDS}
    before = watched.read()
    deadline = time.monotonic() + _EVERY_SECONDS * len(young) + _PATIENCE_SECONDS
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(statement("grow_old"), values)
        time.sleep(_EVERY_SECONDS * len(young))
        while True:
            watched.wait_for_next_census()
            seen = _count(connection, _SEEN, young)
            if seen >= whole:
                break
            if time.monotonic() > deadline:
                raise BenchmarkError(f"{seen} of {whole} pairs are recorded.")
        runs = _count(connection, _RUNS, young)
    if runs != len(young):
        note(f"{len(young)} artworks were healed by {runs} runs")
    return between(before, watched.read())


if __name__ == "__main__":
    alone(__doc__, measure, HEALED)
