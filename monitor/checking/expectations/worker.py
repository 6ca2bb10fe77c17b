"""The worker process: what runs there, and a pool of one that starts, bounds and ends it.

Great Expectations is imported there and nowhere else. Its time is bounded by the pool, and so
is its memory: a limit of the kernel's (RLIMIT_AS, RLIMIT_DATA) counts what is not held, and makes
the import of Great Expectations hang, or one expectation an error, instead of ending the suite.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar, TypeVarTuple

import structlog

from checks.errors import StatementError
from monitor.checking.expectations.process import CallError, ProcessDiedError, WorkerProcess
from monitor.checking.expectations.results import Validated
from monitor.config import ConfigError, ExpectationsCheck
from monitor.deadlines import WORKER_START_SECONDS, WORKER_WATCH_SECONDS

log = structlog.get_logger(__name__)

MEMORY_LIMIT_BYTES = 1024**3
"""What the worker may hold, resident; beyond it is ended, and the suite is an error."""
MISSING_EXTRA = (
    "Great Expectations is not installed here: pip install 'conservator[expectations]', or take"
    " the suites out of checks.expectations."
)
_EXTRA = ("great_expectations", "pandas")

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")


class SuiteError(StatementError):
    """The worker could not do what it was asked, and is well."""


class WorkerStartError(StatementError):
    """There is no worker: the suites are unknown, and each of them an error."""


class MissingExtraError(StatementError):
    """Great Expectations is not installed."""


def load() -> int:
    """Import Great Expectations, which takes seconds; returns the id of this process."""
    # No usage statistics leave this machine; must be set before the import.
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    from monitor.checking.expectations import suites  # noqa: F401, PLC0415

    # What comes from now on are warnings of libraries, and nothing about the start.
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    os.close(silence)
    return os.getpid()


def find_faults(checks: tuple[ExpectationsCheck, ...]) -> tuple[ConfigError, ...]:
    """What Great Expectations does not know of `checks.expectations`; touches no database."""
    from monitor.checking.expectations import suites  # noqa: PLC0415

    return tuple(suites.find_faults(checks))


def validate(url: str, timeout_ms: int, check: ExpectationsCheck) -> Validated:
    """Run a suite. `url` is SQLAlchemy's and may hold a password: it comes through a pipe."""
    from monitor.checking.expectations import suites  # noqa: PLC0415

    return suites.validate(url, timeout_ms, check)


def render(documents: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The report of each validation, as HTML by suite."""
    from monitor.checking.expectations import suites  # noqa: PLC0415

    return {suite: suites.render(document) for suite, document in documents.items()}


class WorkerPool:
    """One worker process, one call at a time. Nothing is started before the first."""

    def __init__(self, *, memory_limit_bytes: int = MEMORY_LIMIT_BYTES) -> None:
        self._memory_limit = memory_limit_bytes
        self._process: WorkerProcess | None = None
        self._turn = asyncio.Lock()
        self.pid: int | None = None
        """The process, while one runs and is ready."""
        self.suites = asyncio.Lock()
        """Held by the suite that is run."""

    async def run(
        self,
        function: Callable[[*Arguments], Result],
        *arguments: *Arguments,
        deadline_seconds: float,
    ) -> Result:
        """What `function`, one of this module's, returns there.

        Raises StatementError with why it returns nothing: it could not start (WorkerStartError), it
        died, took longer than `deadline_seconds` (not counting its start), grew beyond its limit,
        or refused (SuiteError).
        """
        async with self._turn:
            try:
                if self._process is None:
                    await self._start()
                return await self._run(function, arguments, deadline_seconds)
            except BaseException as error:
                # Unless it refused, the next call gets a process that nothing is known against.
                if not isinstance(error, SuiteError):
                    await self._end()
                raise

    async def close(self) -> None:
        """End the process."""
        async with self._turn:
            await self._end()

    async def _start(self) -> None:
        if any(find_spec(library) is None for library in _EXTRA):
            raise MissingExtraError(MISSING_EXTRA)
        try:
            self._process = WorkerProcess(_environment())
            self.pid = await self._call(load, (), WORKER_START_SECONDS)
        except (CallError, ProcessDiedError, OSError) as error:
            reason = str(error) or f"not ready within {WORKER_START_SECONDS:.0f} s"
            raise WorkerStartError(
                f"The worker process for expectations can't start: {reason.rstrip('.')}."
            ) from error
        log.info("expectations_worker_started", pid=self.pid)

    async def _run(
        self,
        function: Callable[[*Arguments], Result],
        arguments: tuple[*Arguments],
        seconds: float,
    ) -> Result:
        try:
            return await self._call(function, arguments, seconds)
        except TimeoutError as error:
            raise StatementError(
                f"The suite took longer than {seconds:.0f} s and was ended: raise its timeout, or"
                " give it fewer or cheaper expectations."
            ) from error
        except ProcessDiedError as error:
            raise StatementError(
                f"The worker process for expectations died ({error}); it is started again for the"
                " next run."
            ) from error
        except CallError as error:
            raise SuiteError(str(error)) from error

    async def _call(
        self,
        function: Callable[[*Arguments], Result],
        arguments: tuple[*Arguments],
        seconds: float,
    ) -> Result:
        """Raises CallError, ProcessDiedError, TimeoutError, and StatementError for its memory."""
        assert self._process is not None
        called = asyncio.ensure_future(asyncio.to_thread(self._process.call, function, arguments))
        try:
            async with asyncio.timeout(seconds):
                while not called.done():
                    self._check_memory()
                    await asyncio.wait({called}, timeout=WORKER_WATCH_SECONDS)
            result: Result = called.result()
        finally:
            called.cancel()
        return result

    def _check_memory(self) -> None:
        used = None if self.pid is None else _resident_bytes(self.pid)
        if used is None or used <= self._memory_limit:
            return
        raise StatementError(
            f"The worker process for expectations held {used // 2**20} MiB, its limit is"
            f" {self._memory_limit // 2**20} MiB: it was ended. Give the suite fewer"
            " expectations that fetch values."
        )

    async def _end(self) -> None:
        process, self._process = self._process, None
        pid, self.pid = self.pid, None
        if process is not None:
            await asyncio.to_thread(process.kill)
            log.info("expectations_worker_ended", pid=pid)


def _environment() -> dict[str, str]:
    """Ours, with a home: Great Expectations asks for its folder while it is imported, and an
    account that the system does not know has none."""
    try:
        Path.home()
    except RuntimeError:
        return {**os.environ, "HOME": os.devnull}
    return dict(os.environ)


def _resident_bytes(pid: int) -> int | None:
    """What a process holds in memory; None where /proc does not say."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError, ValueError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
