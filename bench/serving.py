"""The real `conservator serve` as a child process: its address, its metrics, its memory."""

from __future__ import annotations

import http.client
import json
import signal
import sysconfig
import time
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

from bench.errors import BenchmarkError
from tests.support.child import ChildProcess

_START_SECONDS = 60.0
_STOP_SECONDS = 20.0
_POLL = 0.002  # seconds between looks
_POLL_CHECKS = 0.2


class Serving:
    """The service, from its start to its end. A context manager; it dies with us on Linux."""

    def __init__(self, config: Path) -> None:
        """`config` is the file; the log goes next to it."""
        self._config = config
        self._log = config.with_suffix(".log")
        self._child: ChildProcess | None = None
        self._connection: http.client.HTTPConnection | None = None
        self.start_seconds = 0.0
        """From the process's start to its first answer 200 of /metrics."""

    def __enter__(self) -> Serving:
        program = Path(sysconfig.get_path("scripts")) / "conservator"
        self._log.unlink(missing_ok=True)
        started = time.perf_counter()
        self._child = ChildProcess(
            [str(program), "-c", str(self._config), "serve"],
            output=self._log,
            directory=self._config.parent,
        )
        try:
            self._wait_for_metrics()
        except BaseException:
            self._child.kill()
            raise
        self.start_seconds = time.perf_counter() - started
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._connection is not None:
            self._connection.close()
        child = self._process
        child.send(signal.SIGTERM)
        if child.wait(_STOP_SECONDS) is None:
            child.kill()

    @property
    def _process(self) -> ChildProcess:
        if self._child is None:
            raise BenchmarkError("The service has not been started.")
        return self._child

    def _wait_for_metrics(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process.status is None:
            address = self._address()
            if address is not None:
                parts = urlsplit(address)
                self._connection = http.client.HTTPConnection(
                    str(parts.hostname), parts.port, timeout=10
                )
                if self.scrape()[0] == http.HTTPStatus.OK:
                    return
            time.sleep(_POLL)
        log = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        raise BenchmarkError("The service did not start: " + " | ".join(log[-5:]))

    def _address(self) -> str | None:
        """From the log line "listening", once it is there."""
        if not self._log.exists():
            return None
        for line in self._log.read_text(encoding="utf-8").splitlines():
            if '"listening"' in line and line.endswith("}"):
                return str(json.loads(line)["address"])
        return None

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def address(self) -> str:
        """Where it listens, with a slash at the end."""
        address = self._address()
        if address is None:
            raise BenchmarkError("The service does not listen yet.")
        return address

    def wait_until_healing(self) -> None:
        """Return once a scrape says that a heal run is active."""
        deadline = time.monotonic() + _START_SECONDS
        while "conservator_heal_active 1.0" not in self.scrape()[1]:
            if time.monotonic() > deadline:
                raise BenchmarkError("No heal run began; is anything missing in the gallery?")
            time.sleep(_POLL)

    def wait_until_checked(self) -> None:
        """Return once every check has been run: at the start all of them read the database."""
        deadline = time.monotonic() + _START_SECONDS
        while not _is_checked(self.scrape()[1]):
            if time.monotonic() > deadline:
                raise BenchmarkError("Not every check was run within a minute.")
            time.sleep(_POLL_CHECKS)

    def scrape(self) -> tuple[int, str, float]:
        """Status, text and seconds of one GET /metrics over a connection that stays open."""
        connection = self._connection
        if connection is None:
            raise BenchmarkError("The service does not listen yet.")
        started = time.perf_counter()
        try:
            connection.request("GET", "/metrics")
            answer = connection.getresponse()
        except (http.client.RemoteDisconnected, ConnectionError):  # it was idle for too long
            connection.close()
            started = time.perf_counter()
            connection.request("GET", "/metrics")
            answer = connection.getresponse()
        text = answer.read()
        return answer.status, text.decode(), time.perf_counter() - started

    def memory(self, field: str) -> float:
        """VmRSS or VmHWM, in MB of 10^6 bytes."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024 / 1e6
        raise BenchmarkError(f"The system does not tell {field}.")

    def has_mapped(self, name: str) -> bool:
        """Whether a file whose path contains `name` is mapped into the process."""
        return name in Path(f"/proc/{self._process.pid}/maps").read_text()


def _is_checked(metrics: str) -> bool:
    lines = metrics.splitlines()
    checks = sum(line.startswith("conservator_check_interval_seconds{") for line in lines)
    runs = [line for line in lines if line.startswith("conservator_check_runs_total{")]
    return 0 < checks <= sum(not line.endswith(" 0.0") for line in runs)
