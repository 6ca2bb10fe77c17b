"""From the moment at which a pair becomes legacy until it is healed and verified: `python -m
bench.healing_time`.

A hundred pairs of the healed gallery cross the border by age, one after the other, beside a real
`serve` that counts every five seconds. By default it counts every minute and rests as long after a
run. To measure that takes minutes more (`--census-every 60 --ageing-seconds 600`), so `make bench`
computes it from the same pairs: what they waited for the census, stretched from five seconds to a
minute, and from the census on as measured. A census that falls into the minute after a run is not
in it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import psycopg

from bench.alone import alone
from bench.errors import BenchmarkError
from bench.gallery import HEALED
from bench.measures import Measure, percentile
from bench.options import Options
from bench.progress import note
from bench.report import Report
from bench.servers import config_text, copied, statement
from bench.serving import Serving
from tests.support.postgres import PostgresServer

PAIRS = 100
_DEFAULT_EVERY = 60.0
_COPY = "gallery_ageing"
# Without a larger budget the census of a large gallery would not come every five seconds.
_CONFIG = """
checks: {{census: {{every: {every:g}s, budget: 100%}}}}
healing: {{mode: heal, cooldown: {cooldown:g}s}}
server: {{host: 127.0.0.1, port: 0}}
"""
_COUNTED = 'conservator_check_last_success_timestamp_seconds{check="census"}'
_LEAD_SECONDS = 2.0
_POLL = 0.5
_PATIENCE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Healed:
    """One pair. Seconds from when it became legacy."""

    until_counted: float
    until_verified: float

    @property
    def after_census(self) -> float:
        """From the census on that found it."""
        return self.until_verified - max(0.0, self.until_counted)

    def by_default(self, every: float) -> float:
        """Had the census come every minute, and not after `every` seconds."""
        return self.after_census + max(0.0, self.until_counted) * _DEFAULT_EVERY / every


def measure(server: PostgresServer, options: Options) -> Report:
    """On a copy of the healed gallery, which must be there already."""
    note(f"{PAIRS} pairs become legacy")
    every = options.census_every
    with copied(server, HEALED, _COPY) as database:
        config = server.socket_dir / "config.yaml"
        # Intervals vary by a tenth and runs take a moment: with a cooldown of five seconds, too,
        # every other census would decide to wait.
        cooldown = every if every >= _DEFAULT_EVERY else every / 2
        more = _CONFIG.format(every=every, cooldown=cooldown)
        config.write_text(config_text(server.url(database), more), encoding="utf-8")
        with (
            psycopg.connect(server.conninfo(database), autocommit=True) as connection,
            Serving(config) as service,
        ):
            _wait_for_census(service)
            planted = _plant(connection, options.ageing_seconds)
            healed = _wait_until_healed(connection, planted, options.ageing_seconds)
    return _report(healed, every)


def _report(healed: list[Healed], every: float) -> Report:
    seconds = [one.until_verified for one in healed]
    after_census = [one.after_census for one in healed]
    measures = [
        *_distribution(f"legacy until verified, census every {every:g} s", seconds),
        *_distribution("… of which after the census began", after_census),
    ]
    if every != _DEFAULT_EVERY:
        computed = [one.by_default(every) for one in healed]
        name = f"legacy until verified, by default every {_DEFAULT_EVERY:g} s, computed"
        measures += _distribution(name, computed)
    return Report(
        "healing_time",
        tuple(measures),
        {"pairs": len(healed), "census_every_seconds": every},
        {"until_verified": seconds, "after_census": after_census},
    )


def _wait_for_census(service: Serving) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while _COUNTED not in service.scrape()[1]:
        if time.monotonic() > deadline:
            raise BenchmarkError("The service has not counted yet.")
        time.sleep(_POLL)


def _plant(connection: psycopg.Connection, seconds: float) -> list[tuple[str, str]]:
    values = {"pairs": PAIRS, "lead": _LEAD_SECONDS, "seconds": seconds}
    return connection.execute(statement("plant_ageing"), values).fetchall()


def _wait_until_healed(
    connection: psycopg.Connection, planted: list[tuple[str, str]], seconds: float
) -> list[Healed]:
    values = {"users": [user for user, _ in planted], "artworks": [one for _, one in planted]}
    deadline = time.monotonic() + seconds + 2 * _PATIENCE_SECONDS
    while True:
        found = connection.execute(statement("healed_when"), values).fetchall()
        if len(found) == len(planted) > 0:
            return [
                Healed(float(counted - legacy), float(verified - legacy))
                for legacy, counted, verified in found
            ]
        if time.monotonic() > deadline:
            raise BenchmarkError(f"{len(found)} of {len(planted)} planted pairs were healed.")
        time.sleep(_POLL)


def _distribution(name: str, seconds: list[float]) -> tuple[Measure, ...]:
    return (
        Measure(f"{name}, p50", "s", (percentile(seconds, 0.5),)),
        Measure(f"{name}, p90", "s", (percentile(seconds, 0.9),)),
        Measure(f"{name}, most", "s", (max(seconds),)),
    )


if __name__ == "__main__":
    alone(__doc__, measure, HEALED)
