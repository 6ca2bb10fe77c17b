"""The app's traffic, in a process of its own: `python -m bench.visitors` is started by `traffic`.

Open-loop: visits are due at fixed times, whether or not those before have ended, and a visit's
time runs from when it was due. So a stall is paid by everybody who came during it.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import TracebackType

import psycopg

from bench.servers import statement

_CROWD = 8
"""Visits at the same moment at most; with some milliseconds each, never all of them."""
_STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Visit:
    """One transaction of the app: what to show next, and a view recorded."""

    due: float
    """time.monotonic(), which all processes of a machine share."""
    seconds: float


class Visitors:
    """The process, from its start to its end. A context manager."""

    def __init__(self, conninfo: str, rate: float, output: Path, *, reads: bool = True) -> None:
        """`rate` visits a second; `output` is the file that they are written to. Without `reads`
        they record a view and do not ask what to show, which costs much more."""
        self._command = [sys.executable, "-m", "bench.visitors", conninfo, str(rate), str(reads)]
        self._output = output
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Visitors:
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(self._command, stdout=output)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    @property
    def ended(self) -> bool:
        """Whether it has ended by itself, which it never should."""
        return self._process is not None and self._process.poll() is not None

    def visits(self) -> list[Visit]:
        """Those that have ended so far."""
        lines = self._output.read_text(encoding="utf-8").splitlines()
        fields = [line.split() for line in lines]
        return [Visit(float(one[0]), float(one[1])) for one in fields if len(one) == 2]


def _come(conninfo: str, rate: float, *, reads: bool) -> None:
    """Visits for ever."""
    with psycopg.connect(conninfo) as connection:
        users = [row[0] for row in connection.execute("SELECT id FROM users")]
        artworks = [row[0] for row in connection.execute("SELECT id FROM art_sessions")]
    began, numbers, lock = time.monotonic(), count(), threading.Lock()
    failed = threading.Event()

    def visit(connection: psycopg.Connection, rng: random.Random) -> None:
        with lock:
            due = began + next(numbers) / rate
        time.sleep(max(0.0, due - time.monotonic()))
        user = rng.choice(users)
        with connection.transaction():
            if reads:
                connection.execute(statement("visit_read"), {"user_id": user}).fetchone()
            values = {"user_id": user, "artwork_id": rng.choice(artworks)}
            connection.execute(statement("visit_write"), values)
        line = f"{due:.6f} {time.monotonic() - due:.6f}\n"
        with lock:
            sys.stdout.write(line)
            sys.stdout.flush()

    def visitor(seed: int) -> None:
        rng = random.Random(seed)
        try:
            with psycopg.connect(conninfo, autocommit=True) as connection:
                while True:
                    visit(connection, rng)
        finally:
            failed.set()

    for seed in range(_CROWD):
        threading.Thread(target=visitor, args=(seed,), daemon=True).start()
    failed.wait()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _come(sys.argv[1], float(sys.argv[2]), reads=sys.argv[3] == str(True))
    sys.exit("A visitor's connection failed.")
