"""A service that may open few files, beside clients that hold all the connections they can."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.commands import COMMAND, Running, Workplace, gallery_at, on_one_server, program
from tests.support.http import Client

pytestmark = on_one_server

HOST = b"Host: x\r\n"
IDLE = (
    b"",
    b"GET /metr",
    b"GET /metrics HTTP/1.1\r\n" + HOST,
    b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n",
)
"""Nothing, half a line, half a request, a whole one after which the connection is kept."""


@contextmanager
def serving(work: Workplace, *, soft: int, hard: int) -> Iterator[tuple[Running, Client]]:
    """`serve`, which may open so many files."""
    limited = f'ulimit -S -n {soft} && ulimit -H -n {hard} && exec "$0" serve'
    with program(work.directory, "/bin/sh", "-c", limited, COMMAND) as service:
        client = service.client()
        service.until(lambda: client.metrics().get("conservator_database_up") == 1)
        yield service, client
        assert service.stop(within=20).code == 0


@contextmanager
def clients(address: str, number: int) -> Iterator[None]:
    """So many connections that are held, of each kind as many."""
    found, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(found, min(4096, most)), most))
    parts = urlsplit(address)
    with ExitStack() as stack:
        for n in range(number):
            one = socket.create_connection((parts.hostname or "", parts.port or 0), timeout=60)
            stack.enter_context(one)
            one.sendall(IDLE[n % len(IDLE)])
        yield


def open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def errors(directory: Path) -> list[str]:
    """What was said on standard error."""
    return [line for path in directory.glob("*.err") for line in path.read_text().splitlines()]


@pytest.mark.long
async def test_a_thousand_idle_clients_of_a_service_with_256_files(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path, healing={"mode": "observe"})
    user = work.affected_user()
    with serving(work, soft=256, hard=256) as (service, client):
        [said] = service.events("open_files")
        assert (said["limit"], said["level"]) == (256, "warning")
        assert 64 < said["clients"] < 256
        with clients(client.address, 1000):
            for _ in range(3):
                assert client.metrics()["conservator_database_up"] == 1
                assert client.get(f"api/artworks/stats?user_id={user}").status == 200
                assert client.get("readyz").status == 200
        assert client.metrics()['conservator_http_refused_total{reason="too_many_connections"}']
        assert service.events("connections_wait") == []
        assert len([line for line in errors(tmp_path) if not line.startswith("{")]) == 0


async def test_a_soft_limit_is_raised_as_far_as_all_clients_need_it(
    app_database_url: str, tmp_path: Path
) -> None:
    if 0 <= resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 2048:
        pytest.skip("the limit can't be raised here")
    work = await gallery_at(app_database_url, tmp_path, healing={"mode": "observe"})
    with serving(work, soft=256, hard=2048) as (service, _):
        [said] = service.events("open_files")
        assert (said["found"], said["clients"], said["level"]) == (256, 768, "info")
        assert 768 < said["limit"] < 2048


@pytest.mark.long
async def test_files_that_run_out_are_one_line_and_no_traceback(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path, healing={"mode": "observe"})
    with serving(work, soft=256, hard=256) as (service, client):
        pid = service.process.pid
        with clients(client.address, 20):
            service.until(lambda: open_files(pid) > 20)
            taken = open_files(pid)
            # As if something else had opened what was left for them.
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (taken, 256))
            with clients(client.address, 30):
                service.until(lambda: bool(service.events("connections_wait")))
                # Idle ones make room within seconds: scrapes are answered.
                for _ in range(3):
                    assert client.metrics()["conservator_database_up"] == 1
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (256, 256))
        assert client.get("readyz").status == 200
        assert len(service.events("connections_wait")) == 1
        assert [line for line in errors(tmp_path) if not line.startswith("{")] == []
        # Each second has a census and a decision, however long this takes.
        regular = ('{"decision": ', '"event": "census"')
        others = [one for one in errors(tmp_path) if not any(words in one for words in regular)]
        assert sum(map(len, others)) < 5_000
