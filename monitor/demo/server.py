"""A real PostgreSQL server as our own child process, which leaves nothing behind."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TypeVar
from urllib.parse import quote

import psycopg

from checks.errors import ConservatorError, DatabaseUnavailableError
from monitor.demo.binaries import embedded_binaries, give, reachable_binaries
from monitor.demo.child import Child
from monitor.demo.directories import PrivateDirectory, prepare_keep, remove_tree, sweep
from monitor.demo.processes import ServerUser, server_user

_T = TypeVar("_T")
Setting = str | int | bool
SUPERUSER = "postgres"

_OUR_SETTINGS = "conservator.conf"
_POLL = 0.01  # seconds between looks at something that is about to happen
_THROWAWAY: Mapping[str, Setting] = {
    "fsync": False,
    "full_page_writes": False,
    "synchronous_commit": False,
    # Shared memory as files in the data directory: nothing stays in /dev/shm even after SIGKILL,
    # and a container's 64 MB there are no limit.
    "dynamic_shared_memory_type": "mmap",
}


class PostgresServer:
    """PostgreSQL on a unix socket in a private directory, with one superuser, `postgres`.

    A context manager; `start` and `stop` may also be called. It ends when it is told to, and on
    Linux when this process ends in whatever way; its directory goes with it, or with the next
    start of any such server. With `keep` the data stay there and are written durably.
    Every failure to start is one sentence with the last lines of the server's log.
    """

    def __init__(
        self,
        bin_dir: Path | None = None,
        *,
        keep: Path | None = None,
        tcp_port: int | None = None,
        shared_buffers: str = "64MB",
        max_connections: int = 50,
        settings: Mapping[str, Setting] | None = None,
        deadline: float = 30.0,
    ) -> None:
        """Nothing is started yet.

        bin_dir: where `postgres` and `initdb` are; the extra `demo` brings them by default.
        tcp_port: also listen there on 127.0.0.1, without a password.
        settings: anything else for postgresql.conf, preferred to our own.
        deadline: seconds that a start may take.
        """
        self._wanted_bin_dir = bin_dir
        self._keep = keep.absolute() if keep is not None else None
        self._tcp_port = tcp_port
        self._deadline = deadline
        self._settings: dict[str, Setting] = {
            **({} if keep is not None else _THROWAWAY),
            "shared_buffers": shared_buffers,
            "max_connections": max_connections,
            "listen_addresses": "127.0.0.1" if tcp_port is not None else "",
            "port": tcp_port or 5432,
            **(settings or {}),
        }
        self._user: ServerUser | None = None
        self._directory: PrivateDirectory | None = None
        self._bin_dir: Path | None = None
        self._server: Child | None = None

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
        return (self._keep or self.socket_dir) / "data"

    @property
    def log(self) -> Path:
        """What the server writes to its standard error."""
        return self.socket_dir / "server.log"

    def url(self, database: str = "postgres") -> str:
        """The SQLAlchemy URL of a database of this server, through the socket."""
        port = f"&port={self._tcp_port}" if self._tcp_port is not None else ""
        return (
            f"postgresql+psycopg://{SUPERUSER}@/{quote(database)}"
            f"?host={quote(str(self.socket_dir))}{port}"
        )

    def conninfo(self, database: str = "postgres") -> str:
        """The same for psycopg and libpq."""
        return psycopg.conninfo.make_conninfo(
            host=str(self.socket_dir), port=self._settings["port"], user=SUPERUSER, dbname=database
        )

    def start(self) -> None:
        """Creates the data where there are none, starts the server, returns when it answers.

        Raises ConservatorError, in one of its kinds, when that can't be done.
        """
        if self._directory is not None:
            return
        sweep()
        try:
            self._user = server_user()
            self._directory = PrivateDirectory(self._user)
            self._bin_dir = reachable_binaries(
                self._wanted_bin_dir or embedded_binaries(), self._user, self._directory.path
            )
            self._create_data()
            self._launch()
        except (OSError, LookupError) as error:
            self.stop()
            raise ConservatorError(f"PostgreSQL can't be started here: {error}.") from error
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
        if self._keep is not None:
            prepare_keep(self._keep, self._user)
        if (self.data_dir / "PG_VERSION").exists():
            return
        unfinished = self.data_dir.with_name("data.unfinished")
        remove_tree(unfinished)
        unfinished.mkdir(mode=0o700)
        if self._user is not None:
            give(unfinished, self._user)
        if not (self._initdb(unfinished, "C.UTF-8") or self._initdb(unfinished, "C")):
            raise DatabaseUnavailableError(f"initdb could not create a database. {self._last_log}")
        with (unfinished / "postgresql.conf").open("a") as settings:
            settings.write(f"\ninclude_if_exists = '{_OUR_SETTINGS}'\n")
        unfinished.rename(self.data_dir)

    def _initdb(self, data: Path, locale: str) -> bool:
        options = ["--auth=trust", "--encoding=UTF8", f"--locale={locale}", "--lc-messages=C"]
        durable = [] if self._keep is not None else ["--no-sync"]
        command = ["initdb", "-D", str(data), "-U", SUPERUSER, *options, *durable]
        creation = self._spawn(command, signal.SIGTERM)
        try:
            return creation.wait() == 0
        finally:
            creation.kill()

    def _launch(self) -> None:
        configuration = self.data_dir / _OUR_SETTINGS
        configuration.write_text(
            "".join(f"{name} = {_quoted(value)}\n" for name, value in self._settings.items())
            + f"unix_socket_directories = {_quoted(str(self.socket_dir))}\n"
        )
        if self._user is not None:
            give(configuration, self._user)
        # With nothing to keep, the quickest end; else one that leaves a clean state.
        farewell = signal.SIGINT if self._keep is not None else signal.SIGQUIT
        self._server = self._spawn(["postgres", "-D", str(self.data_dir)], farewell)
        self._wait_until_ready(self._server)

    def _spawn(self, command: list[str], farewell: signal.Signals) -> Child:
        return Child(
            [str(self.bin_dir / command[0]), *command[1:]],
            output=self.log,
            directory=self.socket_dir,
            user=self._user,
            farewell=farewell,
        )

    def _wait_until_ready(self, server: Child) -> None:
        deadline = time.monotonic() + self._deadline
        while server.status is None and time.monotonic() < deadline:
            try:
                psycopg.connect(self.conninfo(), connect_timeout=5).close()
            except psycopg.OperationalError:
                time.sleep(_POLL)
            else:
                return
        found = (
            f"no answer within {self._deadline:g} s"
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


def _started(value: _T | None) -> _T:
    if value is None:
        raise DatabaseUnavailableError("The PostgreSQL server is not running; start it first.")
    return value


def _quoted(value: Setting) -> str:
    """A value as postgresql.conf wants it."""
    text = ("on" if value else "off") if isinstance(value, bool) else str(value)
    return "'" + text.replace("'", "''") + "'"
