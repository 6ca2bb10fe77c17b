"""Records what a version of the service leaves in a database, for tests of upgrades:
`python -m tests.support.recorded_state CHECKOUT REVISION`, before a new revision lands.

The version takes up what revision 0004 left (`state_0004.sql`), ends the run that was held, heals,
takes that back, heals one user, puts a run down in the middle and is paused. pg_dump 15 writes
`tests/integration/data/state_REVISION.sql`.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg

from tests.support.forks import plain_environment
from tests.support.servers import server_kinds
from tests.support.waiting import wait_until_sync

DATA = Path(__file__).parents[1] / "integration" / "data"
FIRST = DATA / "state_0004.sql"
STARTER = "from monitor.cli import main; main()"
NEW_ARTWORKS = """
INSERT INTO art_sessions (id, session_id, image_url, created_at)
SELECT name, 's', '/', now() AT TIME ZONE 'UTC' - interval '20 days'
FROM unnest(ARRAY['{0}1', '{0}2', '{0}3']) AS name
"""
BEGUN = (
    "SELECT count(*) FROM conservator.run WHERE kind = 'heal' AND batches > 0 AND state = 'running'"
)
LEFT_OUT = re.compile(r"^(--.*|\\.*|SET transaction_timeout.*|)$")


class Version:
    """The commands of one checkout, in a folder with a configuration."""

    def __init__(self, checkout: Path, folder: Path, url: str) -> None:
        self._folder, self._url = folder, url
        self._environment = {**plain_environment(), "PYTHONPATH": str(checkout)}

    def configure(self, **pace: object) -> None:
        """Observe, and write at this pace."""
        config = {
            "database": {"url": self._url},
            "checks": {"census": {"every": "1s", "budget": None}},
            "healing": {"cooldown": "1s", "pace": {"duty": "100%", **pace}},
            "lease": "2s",
        }
        (self._folder / "config.yaml").write_text(json.dumps(config))

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """`conservator WORDS`."""
        return subprocess.Popen(
            [sys.executable, "-c", STARTER, *words], cwd=self._folder, env=self._environment
        )

    def run(self, *words: str, codes: tuple[int, ...] = (0,)) -> None:
        """`conservator WORDS` to its end."""
        code = self.start(*words).wait(900)
        assert code in codes, (words, code)


def leave(version: Version, conninfo: str) -> None:
    """Do all that is to be found afterwards."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        version.configure()
        version.run("init")
        version.run("resume")
        version.run("check", codes=(0, 1, 2, 3))
        version.run("heal", "--yes", codes=(0, 1))  # one pair is refused by the database
        connection.execute(NEW_ARTWORKS.format("next").encode())
        version.run("heal", "--yes", "--max-rows", "9", codes=(0, 1))
        newest = connection.execute("SELECT max(id) FROM conservator.run").fetchone()
        assert newest is not None
        version.run("undo", str(newest[0]), "--yes")
        version.run("resume")
        version.run("heal", "--yes", "--user", "u0003")
        version.configure(max_batch=1, duty="1%")
        process = version.start("heal", "--yes")
        wait_until_sync(lambda: bool(connection.execute(BEGUN.encode()).fetchone() != (0,)), 300)
        process.send_signal(signal.SIGTERM)
        process.wait(300)
        version.run("pause", "--reason", "The gallery moves.")


def main(checkout: str, revision: str) -> None:
    """Record it."""
    [kind] = [one for one in server_kinds() if one.name == "system-15"]
    assert kind.bin_dir is not None
    with kind.server() as server, tempfile.TemporaryDirectory() as folder:
        with psycopg.connect(server.conninfo(), autocommit=True) as connection:
            connection.execute("CREATE DATABASE left_behind TEMPLATE template0")
        conninfo = server.conninfo("left_behind")
        with psycopg.connect(conninfo, autocommit=True) as connection:
            connection.execute(FIRST.read_bytes())
        leave(Version(Path(checkout), Path(folder), server.url("left_behind")), conninfo)
        dumped = subprocess.run(
            [
                kind.bin_dir / "pg_dump", "--inserts", "--rows-per-insert=1000", "--no-owner",
                "--no-privileges", conninfo,
            ],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
    lines = [line for line in dumped.splitlines() if not LEFT_OUT.match(line)]
    says = f"-- As revision {revision} of the schema left it: tests/support/recorded_state.py.\n"
    (DATA / f"state_{revision}.sql").write_text(says + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
