"""Prometheus families -> OpenTelemetry's records.

Names stay as they are at /metrics, `_total` included, and units are left empty: a receiver that
speaks Prometheus would append them to the names.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.samples import Sample

SCOPE = "conservator"
UNKNOWN_START = 0
"""In nanoseconds; OTLP's word for not known. Our totals outlive the process."""


def resource(*, instance: str, version: str) -> Resource:
    """Who speaks. Prometheus calls the name `job`, the instance `instance`. What the variables
    OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say goes before."""
    ours = Resource(
        {
            "service.name": "conservator",
            "service.instance.id": instance,
            "service.version": version,
        }
    )
    return ours.merge(OTELResourceDetector().detect())


def metrics_data(registry: CollectorRegistry, who: Resource, *, at: int) -> MetricsData:
    """Everything that `registry` holds now; `at` in nanoseconds since 1970."""
    metrics = [metric for family in registry.collect() for metric in _metrics(family, at)]
    scope = ScopeMetrics(InstrumentationScope(SCOPE), metrics, schema_url="")
    return MetricsData([ResourceMetrics(who, [scope], schema_url="")])


def _metrics(family: Family, at: int) -> Iterator[Metric]:
    if family.type == "histogram":
        points = [_histogram(labels, samples, at) for labels, samples in _by_labels(family)]
        data = Histogram(points, AggregationTemporality.CUMULATIVE)
        if points:
            yield Metric(family.name, family.documentation, "", data)
        return
    by_name: dict[str, list[Sample]] = {}
    for sample in family.samples:
        by_name.setdefault(sample.name, []).append(sample)
    for name, samples in by_name.items():
        numbers = [
            NumberDataPoint(dict(sample.labels), UNKNOWN_START, at, float(sample.value))
            for sample in samples
        ]
        total = family.type == "counter" and name.endswith("_total")
        yield Metric(
            name,
            family.documentation,
            "",
            Sum(numbers, AggregationTemporality.CUMULATIVE, is_monotonic=True)
            if total
            else Gauge(numbers),
        )


def _by_labels(family: Family) -> Iterable[tuple[Mapping[str, str], list[Sample]]]:
    found: dict[tuple[tuple[str, str], ...], list[Sample]] = {}
    for sample in family.samples:
        labels = tuple(sorted((k, v) for k, v in sample.labels.items() if k != "le"))
        found.setdefault(labels, []).append(sample)
    return [(dict(labels), samples) for labels, samples in found.items()]


def _histogram(labels: Mapping[str, str], samples: list[Sample], at: int) -> HistogramDataPoint:
    """Prometheus counts up to each bound; OTLP counts between two."""
    upto = sorted((float(s.labels["le"]), s.value) for s in samples if s.name.endswith("_bucket"))
    below = [0.0, *(count for _, count in upto)]
    total = sum(s.value for s in samples if s.name.endswith("_sum"))
    return HistogramDataPoint(
        attributes=dict(labels),
        start_time_unix_nano=UNKNOWN_START,
        time_unix_nano=at,
        count=int(below[-1]),
        sum=total,
        bucket_counts=[int(here - before) for before, (_, here) in zip(below, upto, strict=False)],
        explicit_bounds=[bound for bound, _ in upto if math.isfinite(bound)],
        min=None,  # type: ignore[arg-type] # not known; the encoder leaves the field out
        max=None,  # type: ignore[arg-type]
    )
