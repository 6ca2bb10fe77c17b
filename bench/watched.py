"""A real service beside nothing else, and the cost of a stretch of its time."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg

from bench.costs import HOUR, Cost, Reading, between, read
from bench.errors import BenchmarkError
from bench.servers import config_text
from bench.serving import Serving
from tests.support.postgres import PostgresServer

_SERVER = "server: {host: 127.0.0.1, port: 0}\n"
_FIRST_CHECKS_SECONDS = 120.0
_POLL = 0.5
_SPARING_POLL = 2.0
"""In a window that is measured: an answer takes the service some milliseconds."""
_JITTER = 0.85
"""Intervals vary by a tenth."""


@dataclass(frozen=True, slots=True)
class Watched:
    """The service, and all that its cost is read from."""

    connection: psycopg.Connection
    """To another database: a session in the same one would be the app's for the census."""
    database: str
    server: PostgresServer
    service: Serving

    def read(self) -> Reading:
        """The totals now."""
        return read(self.connection, self.database, self.server, self.service)

    def window(self, seconds: float) -> Cost:
        """Nothing but the service itself, for so long."""
        before = self.read()
        time.sleep(seconds)
        return between(before, self.read())

    def whole_intervals(self, seconds: float) -> Cost:
        """From the end of one census to that of another, about so much later: with one census in
        a window, half a census more would be half as much again."""
        self.wait_for_next_census()
        before = self.read()
        time.sleep(seconds * _JITTER)
        self.wait_for_next_census()
        return between(before, self.read())

    def about_an_interval(self, seconds: float) -> Cost:
        """So many seconds, which are the census's interval, and longer until there was one."""
        before, first = self.read(), self._last_census()
        time.sleep(seconds)
        self._wait_for_census(first)
        return between(before, self.read())

    def wait_for_next_census(self) -> None:
        """Until one more has been taken than there are now."""
        self._wait_for_census(self._last_census())

    def _wait_for_census(self, known: str) -> None:
        """Until there is another one than the newest that is known."""
        deadline = time.monotonic() + _FIRST_CHECKS_SECONDS
        # Without asking, which costs the service as much as all else that it does meanwhile.
        time.sleep(self._until_next_census())
        while self._last_census() == known:
            if time.monotonic() > deadline:
                raise BenchmarkError("No further census was taken.")
            time.sleep(_SPARING_POLL)

    def _last_census(self) -> str:
        return str(self._census()["last_run"])

    def _until_next_census(self) -> float:
        """Seconds in which there will be none."""
        census = self._census()
        if census["last_run"] is None:
            return 0.0
        since = datetime.now(UTC) - datetime.fromisoformat(census["last_run"])
        return max(0.0, _JITTER * float(census["interval_seconds"]) - since.total_seconds())

    def _census(self) -> dict[str, Any]:
        """The service's own word, without a transaction."""
        (found,) = (check for check in self.checks() if check["name"] == "census")
        return found

    def checks(self) -> list[dict[str, Any]]:
        """As the API tells them."""
        with urllib.request.urlopen(f"{self.service.address}api/checks", timeout=10) as answer:
            checks: list[dict[str, Any]] = json.load(answer)["checks"]
        return checks

    def busy_an_hour(self) -> float:
        """Seconds that all checks take, from how long each last took and how often it runs."""
        shares = (c["duration_seconds"] / c["interval_seconds"] for c in self.checks())
        return HOUR * float(sum(shares))

    def wait_for_checks(self) -> None:
        """Until each of them has run; first runs are spread over half a minute."""
        deadline = time.monotonic() + _FIRST_CHECKS_SECONDS
        while any(check["last_run"] is None for check in self.checks()):
            if time.monotonic() > deadline:
                raise BenchmarkError("Some checks have never run.")
            time.sleep(_POLL)


@contextmanager
def watching(server: PostgresServer, database: str, more: str) -> Iterator[Watched]:
    """A service on `database`, whose configuration has `more` lines."""
    config = server.socket_dir / "config.yaml"
    config.write_text(config_text(server.url(database), more + _SERVER), encoding="utf-8")
    with (
        psycopg.connect(server.conninfo(), autocommit=True) as connection,
        Serving(config) as service,
    ):
        yield Watched(connection, database, server, service)
