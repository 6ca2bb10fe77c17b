"""A real PgBouncer in transaction mode before a test server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from monitor.demo.server import server_account
from tests.support.child import ChildProcess
from tests.support.postgres import PostgresServer, PrivateDirectory
from tests.support.roles import OWNER, SERVICE
from tests.support.waiting import wait_until_sync

# Nothing is reset between two transactions of different clients: what one leaves, another finds.
_CONFIG = """
[databases]
* = host={server} port=5432

[pgbouncer]
listen_port = 5432
unix_socket_dir = {directory}
auth_type = trust
auth_file = {directory}/users
pool_mode = transaction
default_pool_size = {pool_size}
server_round_robin = 1
max_client_conn = 200
query_wait_timeout = 30
"""
SOCKET = ".s.PGSQL.5432"


class Bouncer:
    """A running PgBouncer, listening on a unix socket alone."""

    def __init__(self, directory: Path, server: PostgresServer, command: list[str]) -> None:
        self.directory = directory
        """What libpq takes as a host."""
        self._server = server
        self._command = command
        self._start()

    def _start(self) -> None:
        self._child = ChildProcess(
            self._command,
            output=self.directory / "pgbouncer.log",
            directory=self.directory,
            account=server_account(),
        )

    def wait(self) -> None:
        """Until it answers."""
        wait_until_sync(lambda: _answers(self, self._server))

    def restart(self) -> None:
        """End it with all its connections, and start it anew."""
        self.end()
        for left in (SOCKET, f"{SOCKET}.lock"):
            (self.directory / left).unlink(missing_ok=True)
        self._start()
        self.wait()

    def end(self) -> None:
        """SIGKILL."""
        self._child.kill()

    def url(self, url: str) -> str:
        """The same database, by way of this."""
        through = make_url(url).update_query_dict({"host": str(self.directory)})
        return through.render_as_string(hide_password=False)

    @property
    def log(self) -> str:
        """What it wrote."""
        return (self.directory / "pgbouncer.log").read_text(errors="replace")


def program() -> str | None:
    """Where PgBouncer is installed, if it is."""
    return shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")


@contextmanager
def bouncing(server: PostgresServer, *, pool_size: int = 2, more: str = "") -> Iterator[Bouncer]:
    """PgBouncer with at most `pool_size` connections to the server for each database and user, and
    `more` settings.

    It runs as the account that servers get, since it refuses to be root. Skips the test where it
    isn't installed.
    """
    found = program()
    if found is None:
        pytest.skip("pgbouncer is not installed; on Debian: apt-get install pgbouncer")
    account = server_account()
    directory = PrivateDirectory(account)
    path = directory.path
    config = path / "pgbouncer.ini"
    made = _CONFIG.format(server=server.socket_dir, directory=path, pool_size=pool_size)
    config.write_text(made + more)
    (path / "users").write_text("".join(f'"{name}" ""\n' for name in (OWNER, SERVICE)))
    bouncer = Bouncer(path, server, [found, str(config)])
    try:
        bouncer.wait()
        yield bouncer
    finally:
        bouncer.end()
        directory.remove()


def _answers(bouncer: Bouncer, server: PostgresServer) -> bool:
    conninfo = psycopg.conninfo.make_conninfo(server.conninfo(), host=str(bouncer.directory))
    try:
        psycopg.connect(conninfo, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True
