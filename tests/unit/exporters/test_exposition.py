"""The bytes: both formats are read back by the parsers, quickly made, written and pushed whole."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporters.prometheus import create_registry
from exporters.push.pushgateway import Group, PushError, write_textfile
from monitor.status import Status
from tests.support.builders import Clock, a_check, at_work, board, checks, just_started


def as_openmetrics(registry: CollectorRegistry) -> str:
    encode, _ = choose_encoder("application/openmetrics-text; version=1.0.0")
    return encode(registry).decode()


def samples(families: list[Metric]) -> set[tuple[str, frozenset[tuple[str, str]]]]:
    return {(s.name, frozenset(s.labels.items())) for family in families for s in family.samples}


@pytest.mark.parametrize("status", [just_started(), at_work()], ids=["started", "at work"])
def test_openmetrics_is_valid_and_says_the_same_as_the_text_format(status: Status) -> None:
    registry = create_registry(board(status), clock=Clock())
    parse: Callable[[str], Iterator[Metric]] = openmetrics.text_string_to_metric_families
    strict = list(parse(as_openmetrics(registry)))
    assert samples(strict) == samples(list(parse_text(generate_latest(registry).decode())))
    assert any(family.name == "process_cpu_seconds" for family in strict)


def test_no_series_says_when_it_was_created() -> None:
    registry = create_registry(board(), clock=Clock())
    assert "_created{" not in as_openmetrics(registry)


def test_rendering_takes_well_under_five_milliseconds_of_processor_time() -> None:
    many = checks(a_check(), *(a_check(f"check_{number}") for number in range(20)))
    registry = create_registry(board(at_work(checks=many)), clock=Clock())
    taken = []
    for _ in range(31):
        started = time.thread_time()
        generate_latest(registry)
        taken.append(time.thread_time() - started)
    assert statistics.median(taken) < 0.005


def test_the_text_file_replaces_the_old_one_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "conservator.prom"
    path.write_text("old")
    write_textfile(create_registry(board(), clock=Clock(), process=False), path)
    assert 'conservator_artworks{state="legacy_untracked"} 6.0' in path.read_text("utf-8")
    assert list(tmp_path.iterdir()) == [path]


@dataclass
class Gateway:
    """What a Pushgateway was sent."""

    port: int = 0
    answer: int = 200
    received: list[tuple[str, str, str | None, bytes]] = field(default_factory=list)


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    seen = Gateway()

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            login = self.headers.get("Authorization")
            seen.received.append((self.command, self.path, login, body))
            self.send_response(seen.answer)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as above
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        seen.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield seen
        server.shutdown()
        thread.join()


def test_a_push_replaces_the_group_of_job_and_instance(gateway: Gateway) -> None:
    registry = create_registry(board(), clock=Clock(), process=False)
    Group(f"127.0.0.1:{gateway.port}", {"instance": "gallery-1"}).replace(registry)
    ((method, path, login, body),) = gateway.received
    assert (method, path) == ("PUT", "/metrics/job/conservator/instance/gallery-1")
    assert login is None
    assert b"conservator_artworks" in body


def test_a_login_in_the_url_is_sent_as_basic_authentication(gateway: Gateway) -> None:
    registry = create_registry(board(), clock=Clock(), process=False)
    Group(f"http://cron:s%20t@127.0.0.1:{gateway.port}").replace(registry)
    assert gateway.received[0][2] == "Basic Y3JvbjpzIHQ="


@pytest.mark.parametrize("answer", [400, 500])
def test_a_gateway_that_refuses_is_an_error_without_the_password(
    gateway: Gateway, answer: int
) -> None:
    gateway.answer = answer
    registry = create_registry(board(), clock=Clock(), process=False)
    with pytest.raises(PushError, match=f"127.0.0.1:{gateway.port}.*{answer}") as caught:
        Group(f"http://cron:secret@127.0.0.1:{gateway.port}").replace(registry)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://[", "ftp://x", "http://h:port"])
def test_no_gateway_there_is_an_error_in_a_sentence(url: str) -> None:
    registry = create_registry(board(), clock=Clock(), process=False)
    with pytest.raises(PushError, match="could not be pushed"):
        Group(url, timeout_seconds=1.0).replace(registry)
    with pytest.raises(PushError, match=r"could not be deleted|Write the URL"):
        Group(url, timeout_seconds=1.0).delete()
