"""What a scrape of a snapshot says, as plain mappings."""

from __future__ import annotations

from prometheus_client import generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from exporters.prometheus import create_registry
from monitor.status import Status
from tests.support.builders import Clock, board

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def families(status: Status, *, clock: Clock | None = None, observe: bool = False) -> list[Metric]:
    """The families that Prometheus would read."""
    registry = create_registry(
        board(status), clock=clock or Clock(), observe=observe, process=False
    )
    return list(text_string_to_metric_families(generate_latest(registry).decode()))


def series(status: Status, *, clock: Clock | None = None, observe: bool = False) -> Series:
    """Every sample, by name without prefix and labels."""
    return {
        (sample.name.removeprefix("conservator_"), frozenset(sample.labels.items())): sample.value
        for family in families(status, clock=clock, observe=observe)
        for sample in family.samples
    }


def names(found: Series) -> set[str]:
    """The names of the series."""
    return {name for name, _ in found}


def key(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    """The key of one sample."""
    return name, frozenset(labels.items())
