"""The worker process: what runs there, and a pool of one that starts, bounds and ends it.

Great Expectations is imported there and nowhere else. Errors leave as SuiteError, a sentence: an
exception of a library's own could not be unpickled without importing the library into the service.

Its time is bounded by the pool, as the library's own deadline goes by a clock that can be set; and
so is its memory: a limit of the kernel's (RLIMIT_AS, RLIMIT_DATA) counts what is not held, and
makes the import of Great Expectations hang, or one expectation an error, instead of ending the
suite.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

import structlog

from checks.errors import StatementError
from monitor.checking.expectations.results import Validated
from monitor.config import ConfigError, ExpectationsCheck
from monitor.deadlines import WORKER_START_SECONDS, WORKER_WATCH_SECONDS

if TYPE_CHECKING:
    from pebble import ProcessPool

log = structlog.get_logger(__name__)

MEMORY_LIMIT_BYTES = 1024**3
"""What the worker may hold, resident; beyond it is ended, and the suite is an error."""
MISSING_EXTRA = (
    "Great Expectations is not installed here: pip install 'conservator[expectations]', or take"
    " the suites out of checks.expectations."
)
_EXTRA = ("great_expectations", "pandas", "pebble")

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")


class SuiteError(StatementError):
    """The worker could not do what it was asked, and is well."""


def initialize() -> None:
    """Silence what libraries print, and watch the service."""
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End when the service does, even if it is killed in the middle of a suite."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


@contextmanager
def _errors_as_sentences() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise SuiteError(lines[0]) from None


@_errors_as_sentences()
def load() -> int:
    """Import Great Expectations, which takes seconds; returns the id of this process."""
    # No usage statistics leave this machine; must be set before the import.
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    from monitor.checking.expectations import suites  # noqa: F401, PLC0415

    return os.getpid()


@_errors_as_sentences()
def find_faults(checks: tuple[ExpectationsCheck, ...]) -> tuple[ConfigError, ...]:
    """What Great Expectations does not know of `checks.expectations`; touches no database."""
    from monitor.checking.expectations import suites  # noqa: PLC0415

    return tuple(suites.find_faults(checks))


@_errors_as_sentences()
def validate(url: str, timeout_ms: int, check: ExpectationsCheck) -> Validated:
    """Run a suite. `url` is SQLAlchemy's and may hold a password: it comes through a pipe."""
    from monitor.checking.expectations import suites  # noqa: PLC0415

    return suites.validate(url, timeout_ms, check)


@_errors_as_sentences()
def render(documents: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The report of each validation, as HTML by suite."""
    from monitor.checking.expectations import suites  # noqa: PLC0415

    return {suite: suites.render(document) for suite, document in documents.items()}


class WorkerPool:
    """One worker process, one call at a time. Nothing is started before the first."""

    def __init__(self, *, memory_limit_bytes: int = MEMORY_LIMIT_BYTES) -> None:
        self._memory_limit = memory_limit_bytes
        self._pool: ProcessPool | None = None
        self._turn = asyncio.Lock()
        self.pid: int | None = None
        """The process, while one runs."""
        self.suites = asyncio.Lock()
        """Held by the suite that is run."""

    async def run(
        self,
        function: Callable[[*Arguments], Result],
        *arguments: *Arguments,
        deadline_seconds: float,
    ) -> Result:
        """What `function`, one of this module's, returns there.

        Raises StatementError with why it returns nothing: the worker died, took longer than
        `deadline_seconds` (not counting its start), grew beyond its limit, or refused.
        """
        async with self._turn:
            try:
                if self._pool is None or not self._pool.active:
                    await self._start()
                return await self._call(function, arguments, deadline_seconds)
            except BaseException as error:
                # Unless it refused, the next call gets a process that nothing is known against.
                if self.pid is None or not isinstance(error, SuiteError):
                    await self._end()
                raise

    async def close(self) -> None:
        """End the process."""
        async with self._turn:
            await self._end()

    async def _start(self) -> None:
        await self._end()
        if any(find_spec(library) is None for library in _EXTRA):
            raise StatementError(MISSING_EXTRA)
        from pebble import ProcessPool  # noqa: PLC0415 - of the extra

        self._pool = ProcessPool(
            max_workers=1,
            initializer=initialize,
            context=multiprocessing.get_context("spawn"),
        )
        self.pid = await self._call(load, (), WORKER_START_SECONDS)
        log.info("expectations_worker_started", pid=self.pid)

    async def _call(
        self,
        function: Callable[[*Arguments], Result],
        arguments: tuple[*Arguments],
        seconds: float,
    ) -> Result:
        from pebble import ProcessExpired  # noqa: PLC0415 - of the extra

        assert self._pool is not None
        try:
            async with asyncio.timeout(seconds):
                # The first one starts the process, which would hold the event loop up.
                scheduled = await asyncio.to_thread(self._pool.schedule, function, arguments)
                future = asyncio.wrap_future(scheduled)
                try:
                    while not future.done():
                        self._check_memory()
                        await asyncio.wait({future}, timeout=WORKER_WATCH_SECONDS)
                    return future.result()
                finally:
                    future.cancel()
        except TimeoutError as error:
            raise StatementError(
                f"The suite took longer than {seconds:.0f} s and was ended: raise its timeout, or"
                " give it fewer or cheaper expectations."
            ) from error
        except ProcessExpired as error:
            raise StatementError(
                f"The worker process for expectations died (exit {error.exitcode}); it is started"
                " again for the next run."
            ) from error
        except RuntimeError as error:
            raise StatementError(f"The worker process broke off: {error}.") from error

    def _check_memory(self) -> None:
        used = None if self.pid is None else _resident_bytes(self.pid)
        if self.pid is None or used is None or used <= self._memory_limit:
            return
        with suppress(ProcessLookupError):
            # At once, as it may be growing.
            os.kill(self.pid, signal.SIGKILL)
        raise StatementError(
            f"The worker process for expectations held {used // 2**20} MiB, its limit is"
            f" {self._memory_limit // 2**20} MiB: it was ended. Give the suite fewer"
            " expectations that fetch values."
        )

    async def _end(self) -> None:
        pool, self._pool = self._pool, None
        pid, self.pid = self.pid, None
        if pool is not None:
            await asyncio.to_thread(_stop, pool)
            log.info("expectations_worker_ended", pid=pid)


def _stop(pool: ProcessPool) -> None:
    pool.stop()  # type: ignore[no-untyped-call]
    pool.join()


def _resident_bytes(pid: int) -> int | None:
    """What a process holds in memory; None where /proc does not say."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError, ValueError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
