"""A real streaming replica of a test server, made by pg_basebackup."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import LiteralString

import psycopg

from tests.support.postgres import PostgresServer


class Replica(PostgresServer):
    """Follows `primary` as soon as it is started. Its data begin with a copy of the primary's."""

    def __init__(self, primary: PostgresServer, name: str) -> None:
        super().__init__(
            primary.bin_dir,
            base=primary.base,
            max_connections=60,
            settings={
                # What the walreceiver calls itself, where nothing else is said.
                "cluster_name": name,
                "wal_receiver_status_interval": "1s",
                "wal_retrieve_retry_interval": "200ms",
                "max_prepared_transactions": 0,
            },
        )
        self._primary = primary

    def _create_data(self) -> None:
        self._run(
            "pg_basebackup",
            f"--dbname={self._primary.conninfo()}",
            f"--pgdata={self.data_dir}",
            "--checkpoint=fast",
            "--write-recovery-conf",
            "--no-sync",
        )

    def pause_replay(self) -> None:
        """Go on receiving, replay nothing."""
        self._ask("SELECT pg_wal_replay_pause()")

    def resume_replay(self) -> None:
        """Replay again."""
        self._ask("SELECT pg_wal_replay_resume()")

    def _ask(self, statement: LiteralString) -> None:
        with psycopg.connect(self.conninfo(), autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def replica_of(primary: PostgresServer, name: str = "standby1") -> Iterator[Replica]:
    """A replica that streams, until the context ends."""
    replica = Replica(primary, name)
    with replica:
        yield replica
