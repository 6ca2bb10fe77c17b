"""The process's own series, which every replica exports."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric

from exporters.families.build import gauge, gauges
from monitor.status import Status


def service_families(status: Status) -> Iterator[Metric]:
    """Build, leadership, database, configuration."""
    yield from gauges(
        "build_info",
        "Always 1; the labels say which build this is.",
        ("version", "revision"),
        [((status.version, status.revision), 1)],
    )
    yield from gauge(
        "leader", "1 while this replica leads: it alone checks and heals.", float(status.leader)
    )
    yield from gauge(
        "database_up", "1 while the database answers this replica.", float(status.database_up)
    )
