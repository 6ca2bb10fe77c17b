"""OTLP: a receiver of the official protocol sees what /metrics says, name by name."""

from __future__ import annotations

import asyncio
import math
import sys
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families as parse_text
from structlog.testing import capture_logs

from exporters.prometheus import create_registry
from exporters.push.otlp import MissingOtlpError, OtlpError, OtlpPush, pushing
from monitor.status import Status
from tests.support.builders import Clock, at_work, board, just_started
from tests.support.otlp import (
    Collector,
    Series,
    collecting,
    kinds_of,
    resource_of,
    samples_of,
)
from tests.support.waiting import wait_until

pytest.importorskip("opentelemetry.sdk", reason="the extra `otlp` is not installed")

TOKEN = "collector-password"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as seen:
        yield seen


def push_of(
    registry: CollectorRegistry, url: str, *, timeout_seconds: float = 5.0, instance: str = "a:1"
) -> OtlpPush:
    return OtlpPush(
        registry, url, instance=instance, version="1.2.3", timeout_seconds=timeout_seconds
    )


def exposed(registry: CollectorRegistry) -> dict[Series, float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parse_text(generate_latest(registry).decode())
        for sample in family.samples
    }


@pytest.mark.parametrize("status", [just_started(), at_work()], ids=["started", "at work"])
def test_every_value_of_metrics_arrives_under_its_name(
    collector: Collector, status: Status
) -> None:
    registry = create_registry(board(status), clock=Clock(), process=False)
    push_of(registry, f"http://127.0.0.1:{collector.port}").push()
    [push] = collector.pushes
    assert samples_of(push) == exposed(registry)
    kinds = kinds_of(push)
    assert kinds["conservator_database_up"] == "gauge"
    if status.leader:
        assert kinds["conservator_heal_runs_total"] == "total"
        assert kinds["conservator_heal_batch_duration_seconds"] == "histogram"
    [(path, _, _)] = collector.requests
    assert path == "/v1/metrics"


LABELS = st.dictionaries(
    st.sampled_from(["check", "state", "reason"]), st.text(max_size=6), min_size=1, max_size=3
)
VALUES = st.floats(allow_nan=False)


@st.composite
def families(draw: st.DrawFn) -> list[Metric]:
    made: list[Metric] = []
    for number in range(draw(st.integers(0, 4))):
        kind = draw(st.sampled_from(["gauge", "counter", "histogram"]))
        rows = draw(
            st.lists(LABELS, max_size=3, unique_by=lambda labels: frozenset(labels.items()))
        )
        names = sorted({name for labels in rows for name in labels})
        family: Metric
        if kind == "gauge":
            family = GaugeMetricFamily(f"f{number}", "Words.", labels=names)
        elif kind == "counter":
            family = CounterMetricFamily(f"f{number}", "Words.", labels=names)
        else:
            family = HistogramMetricFamily(f"f{number}", "Words.", labels=names)
        taken = set()
        for labels in rows:
            values = tuple(labels.get(name, "") for name in names)
            if values in taken:
                continue
            taken.add(values)
            if isinstance(family, HistogramMetricFamily):
                counts = sorted(draw(st.lists(st.integers(0, 10**6), min_size=3, max_size=3)))
                buckets = [("0.5", counts[0]), ("2.0", counts[1]), ("+Inf", counts[2])]
                family.add_metric(values, buckets, draw(st.floats(0, 1e9)))
            elif isinstance(family, GaugeMetricFamily | CounterMetricFamily):
                family.add_metric(values, draw(VALUES))
        made.append(family)
    return made


class Fixed:
    def __init__(self, found: list[Metric]) -> None:
        self._found = found

    def collect(self) -> list[Metric]:
        return self._found


@given(families())
def test_whatever_is_exported_arrives_as_it_is(found: list[Metric]) -> None:
    from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics

    from exporters.push.otlp_records import metrics_data, resource

    registry = CollectorRegistry()
    registry.register(Fixed(found))
    data = metrics_data(registry, resource(instance="a", version="1"), at=1)
    sent = type(encode_metrics(data)).FromString(encode_metrics(data).SerializeToString())
    expected = {
        (sample.name, frozenset(sample.labels.items())): float(sample.value)
        for family in found
        for sample in family.samples
    }
    assert samples_of(sent) == expected


def test_who_pushes_is_said_in_open_telemetrys_words(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = create_registry(board(), clock=Clock(), process=False)
    url = f"http://127.0.0.1:{collector.port}/"
    push_of(registry, url).push()
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=live")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "gallery")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"api-key={TOKEN}")
    push_of(registry, url).push()
    first, second = (resource_of(push) for push in collector.pushes)
    assert first == {
        "service.name": "conservator",
        "service.instance.id": "a:1",
        "service.version": "1.2.3",
    }
    assert second == first | {"service.name": "gallery", "deployment.environment": "live"}
    assert [headers.get("api-key") for _, headers, _ in collector.requests] == [None, TOKEN]


def test_a_path_of_ones_own_is_kept(collector: Collector) -> None:
    registry = create_registry(board(), clock=Clock(), process=False)
    push_of(registry, f"http://127.0.0.1:{collector.port}/otlp/v1/metrics").push()
    assert [path for path, _, _ in collector.requests] == ["/otlp/v1/metrics"]


def test_what_is_refused_for_a_moment_is_tried_again(collector: Collector) -> None:
    collector.answers = [503]
    registry = create_registry(board(), clock=Clock(), process=False)
    push_of(registry, f"http://127.0.0.1:{collector.port}").push()
    assert len(collector.requests) == 2


@pytest.mark.parametrize("answer", [400, 401, 404])
def test_a_collector_that_refuses_is_an_error_without_the_password(
    collector: Collector, answer: int
) -> None:
    collector.answers = [answer]
    registry = create_registry(board(), clock=Clock(), process=False)
    push = push_of(registry, f"http://me:{TOKEN}@127.0.0.1:{collector.port}")
    with pytest.raises(OtlpError, match=f"127.0.0.1:{collector.port}/v1/metrics.*{answer}") as said:
        push.push()
    assert TOKEN not in str(said.value)


def test_no_collector_there_is_an_error_in_a_sentence() -> None:
    registry = create_registry(board(), clock=Clock(), process=False)
    push = push_of(registry, f"http://me:{TOKEN}@127.0.0.1:1", timeout_seconds=0.3)
    with pytest.raises(OtlpError) as caught:
        push.push()
    assert "could not be pushed to http://127.0.0.1:1/v1/metrics: " in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_what_kept_it_from_being_taken_is_said_and_not_that_time_ran_out() -> None:
    registry = create_registry(board(), clock=Clock(), process=False)
    with pytest.raises(OtlpError, match="Connection refused"):
        push_of(registry, "http://127.0.0.1:1", timeout_seconds=2.0).push()


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "opentelemetry.exporter.otlp.proto.http.metric_exporter"
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingOtlpError, match=r"pip install 'conservator\[otlp\]'"):
        push_of(CollectorRegistry(), "http://127.0.0.1:1")


async def test_it_pushes_at_once_again_and_once_more_at_the_end(collector: Collector) -> None:
    registry = create_registry(board(), clock=Clock(), process=False)
    push = push_of(registry, f"http://127.0.0.1:{collector.port}")
    with capture_logs() as logs:
        async with pushing(push, every_seconds=0.01):
            await wait_until(lambda: len(collector.requests) >= 3)
        pushed = len(collector.requests)
    assert [log["event"] for log in logs] == ["otlp_pushed"]
    assert pushed >= 4


async def test_only_changes_between_working_and_failing_are_logged(collector: Collector) -> None:
    collector.answers = [400, 400, 400, 200, 200, 400, 400]
    registry = create_registry(board(), clock=Clock(), process=False)
    push = push_of(registry, f"http://127.0.0.1:{collector.port}")
    with capture_logs() as logs:
        async with pushing(push, every_seconds=0.01):
            await wait_until(lambda: len(collector.requests) >= 9)
    events = [log["event"] for log in logs]
    assert events == ["otlp_failed", "otlp_pushed", "otlp_failed", "otlp_pushed"]


async def test_a_collector_that_says_nothing_does_not_hold_the_end_up(
    collector: Collector,
) -> None:
    collector.silent = threading.Event()
    registry = create_registry(board(), clock=Clock(), process=False)
    push = push_of(registry, f"http://127.0.0.1:{collector.port}", timeout_seconds=20.0)
    loop = asyncio.get_running_loop()
    async with pushing(push, every_seconds=60.0):
        await wait_until(lambda: len(collector.requests) == 1)
        before = loop.time()
    assert loop.time() - before < 5.0


def test_infinity_arrives_as_infinity(collector: Collector) -> None:
    registry = CollectorRegistry()
    family = GaugeMetricFamily("age", "Words.", value=math.inf)
    registry.register(Fixed([family]))
    push_of(registry, f"http://127.0.0.1:{collector.port}").push()
    assert samples_of(collector.pushes[0]) == {("age", frozenset()): math.inf}
