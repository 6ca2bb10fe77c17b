"""A PostgreSQL server of the tests and benchmarks: any version, any settings, killed, restarted.

It ends with the process that started it, in whatever way; its directory goes with it, or with the
next start of such a server.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TypeVar
from urllib.parse import quote

import psycopg

from checks.errors import DatabaseUnavailableError
from monitor.demo.server import Account, find_programs, give, server_account
from tests.support.child import ChildProcess

_T = TypeVar("_T")
Setting = str | int | bool
SUPERUSER = "postgres"

_OUR_SETTINGS = "conservator.conf"
_PREFIX = "conservator-test-"
_POLL = 0.01  # seconds between looks at something that is about to happen
_START_SECONDS = 60.0
_THROWAWAY: Mapping[str, Setting] = {
    "fsync": False,
    "full_page_writes": False,
    "synchronous_commit": False,
    # As files in the data directory, so that nothing stays in /dev/shm even after SIGKILL.
    "dynamic_shared_memory_type": "mmap",
}


class PrivateDirectory:
    """A fresh directory, mode 700, of the server's account, locked as long as we live."""

    def __init__(self, account: Account, base: Path | None = None) -> None:
        """Creates it in `base`, the directory for temporary files by default, and deletes those
        there whose process was killed."""
        base = base or Path(tempfile.gettempdir())
        remove_stale(base)
        made = Path(tempfile.mkdtemp(prefix="new-", dir=base))
        self._lock = _open_locked(made)
        give(made, account)
        # Only now under a name that other starts look for.
        self.path = made.rename(made.with_name(_PREFIX + made.name.removeprefix("new-")))

    def remove(self) -> None:
        """Deletes it with everything in it, then lets go of the lock."""
        remove_tree(self.path)
        os.close(self._lock)


class PostgresServer:
    """PostgreSQL on a unix socket in a private directory, with one superuser, `postgres`.

    A context manager; `start` and `stop` may also be called.
    Every failure to start is one sentence with the last lines of the server's log.
    """

    def __init__(
        self,
        bin_dir: Path | None = None,
        *,
        shared_buffers: str = "64MB",
        max_connections: int = 50,
        settings: Mapping[str, Setting] | None = None,
        base: Path | None = None,
    ) -> None:
        """Nothing is started yet.

        bin_dir: where `postgres` and `initdb` are; the embedded ones by default.
        base: where its directory is made; among the temporary files by default.
        settings: anything else for postgresql.conf, preferred to our own.
        """
        self._wanted_bin_dir = bin_dir
        self.base = base
        self._settings: dict[str, Setting] = {
            **_THROWAWAY,
            "shared_buffers": shared_buffers,
            "max_connections": max_connections,
            "listen_addresses": "",
            "port": 5432,
            **(settings or {}),
        }
        self._account: Account = None
        self._directory: PrivateDirectory | None = None
        self._bin_dir: Path | None = None
        self._server: ChildProcess | None = None

    def __enter__(self) -> PostgresServer:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id of the postmaster."""
        return _started(self._server).pid

    @property
    def bin_dir(self) -> Path:
        """The programs in use, psql and pg_basebackup among them."""
        return _started(self._bin_dir)

    @property
    def socket_dir(self) -> Path:
        """The directory of the unix socket; what libpq takes as a host."""
        return _started(self._directory).path

    @property
    def data_dir(self) -> Path:
        """The data directory (PGDATA)."""
        return self.socket_dir / "data"

    @property
    def log(self) -> Path:
        """What the server writes to its standard error."""
        return self.socket_dir / "server.log"

    def url(self, database: str = "postgres") -> str:
        """The SQLAlchemy URL of a database of this server, through the socket."""
        host = quote(str(self.socket_dir))
        return f"postgresql+psycopg://{SUPERUSER}@/{quote(database)}?host={host}"

    def conninfo(self, database: str = "postgres") -> str:
        """The same for psycopg and libpq."""
        return psycopg.conninfo.make_conninfo(
            host=str(self.socket_dir), port=5432, user=SUPERUSER, dbname=database
        )

    def start(self) -> None:
        """Creates the data, starts the server, returns when it answers.

        Raises ConservatorError, in one of its kinds, when that can't be done.
        """
        if self._directory is not None:
            return
        try:
            self._account = server_account()
            self._directory = PrivateDirectory(self._account, self.base)
            self._bin_dir = self._wanted_bin_dir or find_programs(self._account, self.socket_dir)
            self._create_data()
            self._launch()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Ends the server, politely first, and removes its directory. Harmless when repeated."""
        self._end()
        if self._directory is not None:
            self._directory.remove()
            self._directory = None

    def restart(self) -> None:
        """Stops and starts on the same data; a server that was killed recovers."""
        self._end()
        self._launch()

    def kill(self) -> None:
        """Ends all of its processes at once with SIGKILL, as a power cut would. Data stay."""
        if self._server is not None:
            self._server.kill()
            self._server = None

    def _create_data(self) -> None:
        options = ["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--lc-messages=C"]
        self._run("initdb", "-D", str(self.data_dir), "-U", SUPERUSER, *options, "--no-sync")
        with (self.data_dir / "postgresql.conf").open("a") as settings:
            settings.write(f"\ninclude_if_exists = '{_OUR_SETTINGS}'\n")

    def _run(self, program: str, *arguments: str) -> None:
        """Runs one of the server's programs to its end."""
        process = self._spawn(program, *arguments)
        try:
            if process.wait() != 0:
                raise DatabaseUnavailableError(f"{program} failed. {self._last_log}")
        finally:
            process.kill()

    def _launch(self) -> None:
        # In a file, so that a test may override them by ALTER SYSTEM.
        settings = {**self._settings, "unix_socket_directories": str(self.socket_dir)}
        (self.data_dir / _OUR_SETTINGS).write_text(
            "".join(f"{name} = {_quoted(value)}\n" for name, value in settings.items())
        )
        give(self.data_dir / _OUR_SETTINGS, self._account)
        self._server = self._spawn("postgres", "-D", str(self.data_dir))
        self._wait_until_ready(self._server)

    def _spawn(self, program: str, *arguments: str) -> ChildProcess:
        return ChildProcess(
            [str(self.bin_dir / program), *arguments],
            output=self.log,
            directory=self.socket_dir,
            account=self._account,
            parent_death_signal=signal.SIGQUIT,  # there is nothing to keep
        )

    def _wait_until_ready(self, server: ChildProcess) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while server.status is None and time.monotonic() < deadline:
            try:
                psycopg.connect(self.conninfo(), connect_timeout=5).close()
            except psycopg.OperationalError:
                time.sleep(_POLL)
            else:
                return
        found = (
            f"no answer within {_START_SECONDS:g} s"
            if server.status is None
            else f"it ended with status {server.status}"
        )
        raise DatabaseUnavailableError(f"PostgreSQL did not start: {found}. {self._last_log}")

    def _end(self) -> None:
        """Fast shutdown, then immediate shutdown, then SIGKILL, each with its own patience."""
        server, self._server = self._server, None
        if server is None:
            return
        for signal_number, patience in ((signal.SIGINT, 10.0), (signal.SIGQUIT, 5.0)):
            server.send(signal_number)
            if server.wait(patience) is not None:
                return
        server.kill()

    @property
    def _last_log(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "The last lines of its log: " + (" | ".join(lines[-5:]) or "(empty)")


def remove_stale(base: Path) -> None:
    """Deletes the directories whose process is gone. Their servers have gone with it."""
    for path in base.glob(f"{_PREFIX}*"):
        try:
            lock = _open_locked(path)
        except OSError:  # its owner lives, or it is somebody else's, or gone this very moment
            continue
        remove_tree(path)
        os.close(lock)


def remove_tree(path: Path) -> None:
    """Deletes a directory in which a dying process may still be creating files."""
    deadline = time.monotonic() + 5.0
    while path.exists():
        shutil.rmtree(path, ignore_errors=time.monotonic() < deadline)


def _open_locked(path: Path) -> int:
    lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise
    return lock


def _started(value: _T | None) -> _T:
    if value is None:
        raise DatabaseUnavailableError("The PostgreSQL server is not running; start it first.")
    return value


def _quoted(value: Setting) -> str:
    """A value as postgresql.conf wants it."""
    text = ("on" if value else "off") if isinstance(value, bool) else str(value)
    return "'" + text.replace("'", "''") + "'"
