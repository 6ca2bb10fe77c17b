"""SIGTERM, SIGINT and SIGHUP end a command at any moment, as process 1 of a container too."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import (
    COMMAND,
    STATE,
    Running,
    Workplace,
    gallery_at,
    on_one_server,
    program,
    running,
)
from tests.support.waiting import wait_until_sync

SOON = 5.0
"""Seconds; the computer may be busy."""
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
STOPPED = "conservator: Stopped.\n"
SLOWLY: dict[str, Any] = {"cooldown": "1h", "pace": {"max_batch": 3, "duty": "10%"}}


def handles(pid: int, number: signal.Signals) -> bool:
    """Whether the process does something of its own about a signal."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return False
    [caught] = [line.split()[1] for line in lines if line.startswith("SigCgt:")]
    return bool(int(caught, 16) >> (number - 1) & 1)


def loaded(pid: int, library: str) -> bool:
    """Whether the process has come as far as to load a compiled library."""
    try:
        return library in Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return False


@contextmanager
def first_process(directory: Path, *arguments: str) -> Iterator[tuple[Running, int]]:
    """`conservator ARGUMENTS` as process 1 of a namespace of its own; its number for us."""
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-pf", "true"], check=False).returncode:
        pytest.skip("no process may have a namespace of its own here")
    alone = (unshare, "--pid", "--fork", "--kill-child")
    with program(directory, *alone, COMMAND, *arguments) as begun:
        pid = begun.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children")
        begun.until(lambda: bool(children.read_text().split()))
        yield begun, int(children.read_text().split()[0])


@contextmanager
def silent_database() -> Iterator[tuple[str, socket.socket]]:
    """A URL whose server accepts and never says a word; and where it listens."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        server.settimeout(60)
        yield f"postgresql://nobody@127.0.0.1:{server.getsockname()[1]}/none", server


@pytest.fixture
def nowhere(tmp_path: Path) -> Iterator[tuple[Workplace, socket.socket]]:
    """A configuration for a database that never answers."""
    with silent_database() as (url, server):
        yield Workplace(tmp_path, url).configure(), server


@pytest.mark.parametrize(
    ("command", "library"),
    [
        ("serve", ""),
        ("check", ""),
        ("demo", "_asyncio"),
        ("heal", "_pydantic_core"),
        ("serve", "_pydantic_core"),
    ],
)
def test_the_first_process_of_a_container_ends_while_it_loads(
    nowhere: tuple[Workplace, socket.socket], command: str, library: str
) -> None:
    with first_process(nowhere[0].directory, command) as (begun, pid):
        begun.until(lambda: handles(pid, signal.SIGTERM) and loaded(pid, library))
        os.kill(pid, signal.SIGTERM)
        code = begun.process.wait(SOON)
        # `serve` may have come as far as to end in order, where the computer is quick.
        assert code in ((143, 0) if command in {"serve", "demo"} else (143,))


@pytest.mark.parametrize(("command", "code"), [("serve", 0), ("check", 143), ("heal", 143)])
def test_the_first_process_of_a_container_ends_while_it_waits_for_the_database(
    nowhere: tuple[Workplace, socket.socket], command: str, code: int
) -> None:
    work, server = nowhere
    with first_process(work.directory, command) as (begun, pid), closing(server.accept()[0]):
        os.kill(pid, signal.SIGTERM)
        assert begun.process.wait(SOON) == code


@pytest.mark.parametrize("number", ENDING, ids=lambda number: number.name)
def test_a_command_that_loads_ends_as_by_default_and_says_so(
    nowhere: tuple[Workplace, socket.socket], number: signal.Signals
) -> None:
    with running(nowhere[0].directory, "check") as begun:
        pid = begun.process.pid
        begun.until(lambda: handles(pid, number) and loaded(pid, "_asyncio"))
        ended = begun.stop(number, within=SOON)
    assert (ended.code, ended.err) == (-number, STOPPED)


@pytest.mark.parametrize("number", ENDING, ids=lambda number: number.name)
def test_a_command_that_waits_for_the_database_ends_and_says_so(
    nowhere: tuple[Workplace, socket.socket], number: signal.Signals
) -> None:
    work, server = nowhere
    with work.started("doctor") as begun, closing(server.accept()[0]):
        ended = begun.stop(number, within=SOON)
    assert (ended.code, ended.err) == (128 + number, STOPPED)


def test_a_service_whose_database_is_away_ends_in_order(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    work = Workplace(tmp_path, f"postgresql://nobody@127.0.0.1:{port}/none").configure()
    with work.started("serve") as service:
        service.until(lambda: bool(service.events("database_awaited")))
        assert service.stop(within=SOON).code == 0
        assert service.events("stopped")


@on_one_server
async def test_a_check_under_way_is_ended_on_the_server_too(
    app_database_url: str, tmp_path: Path
) -> None:
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%%' || %(text)s || '%%'"
    text = "pg_sleep(1234)"
    query = f"SELECT 1 FROM {text}"
    checks = {"sql": [{"name": "slow", "query": query, "every": "1h", "timeout": "1m"}]}
    work = await gallery_at(app_database_url, tmp_path, checks=checks)
    for number in ENDING:
        with work.started("check", "slow") as begun:
            begun.until(lambda: work.value(sleeping, text=text) == 1)
            ended = begun.stop(number, within=SOON)
        assert (ended.code, ended.out, ended.err) == (128 + number, "", STOPPED)
        wait_until_sync(lambda: work.value(sleeping, text=text) == 0)


@on_one_server
async def test_a_heal_run_under_way_is_put_down_whatever_the_signal(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path, healing=SLOWLY)
    batches = f"SELECT coalesce(max(batches), 0) FROM {STATE}.run"
    assert work.run("init").code == 0
    before, written = work.impressions(), 0
    for number in ENDING:
        enough = int(work.value(batches)) + 2
        with work.started("heal", "--yes") as begun:
            begun.until(lambda least=enough: work.value(batches) >= least)  # type: ignore[misc]
            ended = begun.stop(number)
        assert ended.code == 1, ended
        assert "goes on from there" in ended.words
        [(state, inserted)] = work.rows(f"SELECT state, inserted FROM {STATE}.run")
        assert state == "held"
        assert inserted > written
        written = inserted
        assert work.impressions() - before == written


@on_one_server
async def test_a_question_is_not_waited_for(app_database_url: str, tmp_path: Path) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    before = work.contents()
    for number in (signal.SIGTERM, signal.SIGINT):
        with program(tmp_path, COMMAND, "heal") as begun:
            begun.until(lambda: "[y/N]" in begun.out)
            ended = begun.stop(number, within=SOON)
        assert (ended.code, ended.err) == (-number, STOPPED)
    assert work.contents().items() >= before.items()


def test_a_demo_that_starts_is_ended_in_order_and_leaves_nothing(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        place.chmod(0o755)  # where we are root, its server runs as somebody else
        with running(tmp_path, "demo", "--port", "0", TMPDIR=folder) as begun:
            begun.until(lambda: "Starting PostgreSQL" in begun.out)
            assert begun.stop(within=30).code == 0
        assert list(place.iterdir()) == []
