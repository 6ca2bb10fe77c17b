"""A collector that takes OTLP over HTTP, read by the official protocol buffers."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

Series = tuple[str, frozenset[tuple[str, str]]]
"""A name as at /metrics, and its labels."""


@dataclass
class Collector:
    """What it was sent."""

    port: int = 0
    answers: list[int] = field(default_factory=list)
    """Statuses to give first; 200 after these."""
    requests: list[tuple[str, Mapping[str, str], bytes]] = field(default_factory=list)
    silent: threading.Event | None = None
    """Set: no answer before it is set."""

    @property
    def pushes(self) -> list[Any]:
        """Each request, decoded."""
        service = pytest.importorskip(
            "opentelemetry.proto.collector.metrics.v1.metrics_service_pb2",
            reason="the extra `otlp` is not installed",
        )
        read = service.ExportMetricsServiceRequest.FromString
        return [read(body) for _, _, body in self.requests]


def samples_of(push: Any) -> dict[Series, float]:
    """Every value of a push, as Prometheus would call it."""
    found: dict[Series, float] = {}
    for metric in _metrics(push):
        kind = metric.WhichOneof("data")
        for point in getattr(metric, kind).data_points:
            labels = {pair.key: pair.value.string_value for pair in point.attributes}
            if kind == "histogram":
                _add_histogram(found, metric.name, labels, point)
            else:
                found[metric.name, frozenset(labels.items())] = point.as_double
    return found


def kinds_of(push: Any) -> dict[str, str]:
    """Name -> gauge, total (cumulative, monotonic) or histogram (cumulative)."""
    kinds: dict[str, str] = {}
    for metric in _metrics(push):
        kind = metric.WhichOneof("data")
        cumulative = 2
        if kind != "gauge":
            assert getattr(metric, kind).aggregation_temporality == cumulative
        if kind == "sum":
            assert metric.sum.is_monotonic
        assert metric.unit == ""
        kinds[metric.name] = {"sum": "total"}.get(kind, kind)
    return kinds


def resource_of(push: Any) -> dict[str, str]:
    """Who pushed."""
    [one] = push.resource_metrics
    return {pair.key: pair.value.string_value for pair in one.resource.attributes}


def _metrics(push: Any) -> Iterator[Any]:
    for resource in push.resource_metrics:
        for scope in resource.scope_metrics:
            yield from scope.metrics


def _add_histogram(
    found: dict[Series, float], name: str, labels: dict[str, str], point: Any
) -> None:
    upto = 0
    for bound, count in zip(
        [*point.explicit_bounds, float("inf")], point.bucket_counts, strict=True
    ):
        upto += count
        le = "+Inf" if bound == float("inf") else str(bound)
        found[f"{name}_bucket", frozenset({**labels, "le": le}.items())] = upto
    assert upto == point.count
    found[f"{name}_count", frozenset(labels.items())] = point.count
    found[f"{name}_sum", frozenset(labels.items())] = point.sum


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a free port of 127.0.0.1."""
    seen = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            seen.requests.append((self.path, dict(self.headers), body))
            if seen.silent is not None:
                seen.silent.wait(30)
            self.send_response(seen.answers.pop(0) if seen.answers else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        seen.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield seen
        finally:
            if seen.silent is not None:
                seen.silent.set()
            server.shutdown()
            thread.join()
