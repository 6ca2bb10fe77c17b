"""Metric families from plain rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from monitor.state.counters import Counters

PREFIX = "conservator_"

Row = tuple[Sequence[str], float]
"""Label values, in the order of the family's label names; and the value."""


def gauge(name: str, text: str, value: float | None) -> Iterator[Metric]:
    """A gauge without labels; None: not measured, so no family."""
    if value is not None:
        yield GaugeMetricFamily(PREFIX + name, text, value=value)


def gauges(name: str, text: str, labels: Sequence[str], rows: Iterable[Row]) -> Iterator[Metric]:
    """A labelled gauge; without rows no family."""
    family = GaugeMetricFamily(PREFIX + name, text, labels=labels)
    for values, value in rows:
        family.add_metric(values, value)
    if family.samples:
        yield family


def counter(name: str, text: str, counters: Counters) -> Iterator[Metric]:
    """A total without labels, 0 until it was first added to."""
    yield CounterMetricFamily(PREFIX + name, text, value=counters.get((name, ""), 0.0))


def counters_by(
    name: str, text: str, label: str, known: Iterable[str], counters: Counters
) -> Iterator[Metric]:
    """A total for each of the `known` label values, 0 until it was first added to."""
    family = CounterMetricFamily(PREFIX + name, text, labels=(label,))
    for value in known:
        family.add_metric((value,), counters.get((name, value), 0.0))
    if family.samples:
        yield family


def labels_of(name: str, counters: Counters) -> Iterator[str]:
    """The labels under which anything was ever added to the total `name`."""
    return (label for counted, label in counters if counted == name)
