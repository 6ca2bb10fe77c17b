"""What a metric is, and how its family is made from a snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from checks.census import Census
from exporters.current import current_census
from monitor.status import CheckResult, RepairStatus, Status

PREFIX = "conservator_"


@dataclass(frozen=True, slots=True)
class Scrape:
    """What is read at one moment."""

    status: Status
    now: float
    """On the process's monotonic clock, in seconds."""
    observe: bool
    """`healing.mode` is observe, which counts as suspended."""

    @property
    def census(self) -> Census | None:
        """The newest, unless it is too old."""
        return current_census(self.status, self.now)


Row = tuple[tuple[str, ...], float | None]
"""Label values, in the order of the metric's label names; and the value, None: not measured."""


@dataclass(frozen=True, slots=True)
class MetricDefinition:
    """One metric; `name` is without prefix, and of a total without `_total`."""

    name: str
    text: str
    """Its meaning and its unit, as HELP says them."""
    rows: Callable[[Scrape], Iterable[Row]]
    labels: tuple[str, ...] = ()
    is_total: bool = False

    def families(self, scrape: Scrape) -> Iterator[Metric]:
        """Its family; none where nothing was measured."""
        kind = CounterMetricFamily if self.is_total else GaugeMetricFamily
        family = kind(PREFIX + self.name, self.text, labels=self.labels)
        for values, value in self.rows(scrape):
            if value is not None:
                family.add_metric(values, value)
        if family.samples:
            yield family


def gauge(name: str, text: str, value: Callable[[Scrape], float | None]) -> MetricDefinition:
    """A gauge without labels."""
    return MetricDefinition(name, text, lambda scrape: [((), value(scrape))])


def census_gauge(name: str, text: str, value: Callable[[Census], float | None]) -> MetricDefinition:
    """A gauge of the newest census; gone once that is too old."""

    def read(scrape: Scrape) -> float | None:
        return None if scrape.census is None else value(scrape.census)

    return gauge(name, text, read)


def check_gauge(
    name: str, text: str, value: Callable[[CheckResult, float], float | None]
) -> MetricDefinition:
    """A gauge for each check; `value` takes the check, and what time it is."""

    def rows(scrape: Scrape) -> Iterator[Row]:
        for check in scrape.status.checks.values():
            yield (check.name,), value(check, scrape.now)

    return MetricDefinition(name, text, rows, ("check",))


def total(
    name: str,
    text: str,
    label: str | None = None,
    values: Callable[[Status], Iterable[str]] = lambda _: ("",),
) -> MetricDefinition:
    """A total for each value of `label`, or one without a label; 0 until it was first added to."""
    labels = () if label is None else (label,)

    def rows(scrape: Scrape) -> Iterator[Row]:
        for value in values(scrape.status):
            yield (value,) if labels else (), scrape.status.counters.get((name, value), 0.0)

    return MetricDefinition(name, text, rows, labels, is_total=True)


def total_by_check(name: str, text: str) -> MetricDefinition:
    """A total for each check that there is."""
    return total(name, text, "check", lambda status: status.checks)


def total_by_repair(name: str, text: str) -> MetricDefinition:
    """A total for each repair that is configured."""
    return total(name, text, "repair", lambda status: status.repairs)


def repair_gauge(
    name: str, text: str, value: Callable[[Scrape, RepairStatus], float | None]
) -> MetricDefinition:
    """A gauge for each repair that is configured."""

    def rows(scrape: Scrape) -> Iterator[Row]:
        for repair in scrape.status.repairs.values():
            yield (repair.name,), value(scrape, repair)

    return MetricDefinition(name, text, rows, ("repair",))


def total_by_reason(name: str, text: str, known: Iterable[str]) -> MetricDefinition:
    """A total for each `known` reason, and for those that another version has counted."""

    def reasons(status: Status) -> Iterable[str]:
        counted = sorted(reason for counter, reason in status.counters if counter == name)
        return dict.fromkeys((*known, *counted))

    return total(name, text, "reason", reasons)
