"""What HTTP refused. Every replica exports its own: callers talk to one process each."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric

from exporters.families.build import PREFIX
from exporters.refusals import Refusals


def http_families(refusals: Refusals) -> Iterator[Metric]:
    """Calls and connections that were not let in, by reason."""
    family = CounterMetricFamily(
        PREFIX + "http_refused",
        "Calls that this process did not let in since it started, by reason; unknown_token counts"
        " failed attempts.",
        labels=("reason",),
    )
    for reason, total in refusals.totals():
        family.add_metric((reason,), total)
    yield family
