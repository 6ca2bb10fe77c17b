"""What the service costs while nothing is wrong, an hour: `python -m bench.steady`.

Counted over a window after the first checks, and given for an hour: the database's CPU seconds (of
every process of the server, parallel workers too), the blocks that it read, the transactions, the
connections; and the service's own CPU seconds and memory. By default config, on a gallery in
which nothing changes; then with a census every five seconds, without a budget and with the default
one, which stretches the interval; and for each of many scrapes.
"""

from __future__ import annotations

from bench.alone import alone
from bench.costs import Cost, between
from bench.gallery import HEALED
from bench.measures import Measure, compared, percentile
from bench.options import Options
from bench.progress import note
from bench.report import Fact, Report
from bench.servers import copied
from bench.watched import Watched, watching
from tests.support.postgres import PostgresServer

_COPY = "gallery_steady"
_OFTEN = "checks: {{census: {{every: 5s, budget: {budget}}}}}\n"


def measure(server: PostgresServer, options: Options) -> Report:
    """On a copy of the healed gallery, which must be there already."""
    seconds = options.steady_seconds
    with copied(server, HEALED, _COPY) as database:
        note(f"an hour of default config, from {seconds:g} s")
        with watching(server, database, "") as watched:
            watched.wait_for_checks()
            default = watched.about_an_interval(seconds)
            busy = watched.busy_an_hour()
            memory = watched.service.memory("VmRSS")
            scraping = _scrape(watched, options.steady_scrapes)
        note("an hour of a census every five seconds, without and with a budget")
        costs: dict[str, Cost] = {}
        facts: dict[str, Fact] = {"seconds": round(default.seconds)}
        for name, budget in (("without a budget", "100%"), ("with the budget", "1%")):
            with watching(server, database, _OFTEN.format(budget=budget)) as watched:
                watched.wait_for_checks()
                costs[name] = watched.whole_intervals(seconds / 3)
                facts |= _intervals(watched, name)
    return Report(
        "steady",
        (
            *_an_hour("gallery at rest", default),
            Measure("resident memory", "MB", (memory,)),
            _busy(busy),
            *_stretched(costs),
            *scraping,
        ),
        facts,
    )


def _an_hour(name: str, cost: Cost) -> tuple[Measure, ...]:
    def hourly(what: str, unit: str, amount: float) -> Measure:
        return Measure(f"{what} an hour, {name}", unit, (amount * cost.an_hour,))

    return (
        hourly("database CPU", "s", cost.database_cpu),
        hourly("blocks read", "GB", cost.bytes / 1e9),
        hourly("transactions", "", cost.transactions),
        Measure(f"connections, {name}", "", (float(cost.connections),)),
        hourly("service CPU", "s", cost.service_cpu),
    )


def _busy(seconds: float) -> Measure:
    """Of the checks that run every five minutes or hourly, a window of a minute has none."""
    return Measure("all checks an hour, from their durations", "s", (seconds,))


def _stretched(costs: dict[str, Cost]) -> tuple[Measure, ...]:
    (off, before), (on, after) = costs.items()
    every = "census every 5 s"
    measures: list[Measure] = []
    for what, unit, amounts in (
        ("database CPU", "s", [c.database_cpu * c.an_hour for c in (before, after)]),
        ("blocks read", "GB", [c.bytes / 1e9 * c.an_hour for c in (before, after)]),
    ):
        base = Measure(f"{what} an hour, {every}, {off}", unit, (amounts[0],))
        name = f"{what} an hour, {every}, {on}"
        measures += [base, compared(name, unit, (amounts[1],), base)]
    return tuple(measures)


def _scrape(watched: Watched, count: int) -> tuple[Measure, ...]:
    """Scrapes one after the other, and as much time without any."""
    note(f"{count} scrapes")
    before = watched.read()
    taken = [watched.service.scrape()[2] * 1000 for _ in range(count)]
    cost = between(before, watched.read())
    idle = watched.window(cost.seconds)
    service_cpu = (cost.service_cpu - idle.service_cpu) / count
    return (
        Measure("a scrape", "ms", tuple(taken)),
        Measure("a scrape, p99", "ms", (percentile(taken, 0.99),)),
        Measure("service CPU a scrape", "ms", (service_cpu * 1000,)),
        Measure(f"database transactions during {count:,} scrapes", "", (cost.transactions,)),
        Measure("… in as long without one", "", (idle.transactions,)),
    )


def _intervals(watched: Watched, name: str) -> dict[str, Fact]:
    """The census's interval in effect."""
    return {
        f"{check['name']} {name} every": f"{check['interval_seconds']:.0f} s"
        for check in watched.checks()
        if check["name"] == "census"
    }


if __name__ == "__main__":
    alone(__doc__, measure, HEALED)
