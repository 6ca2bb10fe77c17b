"""The `export` section: where metrics are pushed to, besides being scraped."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from monitor.config.quantities import Interval, Timeout, WebUrl
from monitor.config.scalars import Maybe
from monitor.config.section import Section


class Otlp(Section):
    """An OpenTelemetry collector. Headers and certificates: the variables OTEL_EXPORTER_OTLP_*."""

    endpoint: WebUrl = Field(repr=False)
    """Its URL for OTLP over HTTP, such as http://localhost:4318; without a path: /v1/metrics."""
    every: Interval = timedelta(minutes=1)
    """How often the metrics are pushed."""
    timeout: Timeout = timedelta(seconds=10)
    """How long one push may take, with what is tried again."""


class Export(Section):
    """Where metrics are pushed to, besides being scraped."""

    otlp: Maybe[Otlp] = None
    """A collector that takes OTLP over HTTP. Needs the extra `otlp`. null: nothing is pushed."""
