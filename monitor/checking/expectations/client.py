"""Keeps one worker process: starts it when it is needed, bounds it, starts it again."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import structlog

from checks.errors import StatementError
from monitor.checking.expectations.messages import (
    MAX_LINE_BYTES,
    Answer,
    Failed,
    Request,
    decode_answer,
    encode,
)

log = structlog.get_logger(__name__)

MEMORY_LIMIT_BYTES = 1024**3
"""What the worker may hold, resident; beyond it is ended, and the suite is an error."""
START_SECONDS = 60.0
"""More time for the first request: Great Expectations takes seconds to import."""
_WATCH_SECONDS = 0.2


class Worker:
    """One worker process, one request at a time. Nothing is started before the first."""

    def __init__(self, *, memory_limit_bytes: int = MEMORY_LIMIT_BYTES) -> None:
        self._memory_limit = memory_limit_bytes
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self.suites = asyncio.Lock()
        """Held by the suite that is run."""

    @property
    def pid(self) -> int | None:
        """The process, while one runs."""
        return None if self._process is None else self._process.pid

    async def ask(self, request: Request, *, deadline_seconds: float) -> Answer:
        """The answer to `request`. Raises StatementError with why there is none: the worker died,
        took longer than `deadline_seconds`, grew beyond its limit, or refused."""
        async with self._turn:
            fresh = self._process is None or self._process.returncode is not None
            process = await self._start() if fresh else self._process
            assert process is not None
            limit = deadline_seconds + (START_SECONDS if fresh else 0.0)
            try:
                answer = await self._exchange(process, request, limit)
            except BaseException:
                # Whatever it was, an answer that comes later would be taken for the next one's.
                await self._end()
                raise
            if isinstance(answer, Failed):
                raise StatementError(answer.error)
            return answer

    async def close(self) -> None:
        """End the process."""
        async with self._turn:
            await self._end()

    async def _start(self) -> asyncio.subprocess.Process:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "monitor.checking.expectations.worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=MAX_LINE_BYTES,
        )
        log.info("expectations_worker_started", pid=self._process.pid)
        return self._process

    async def _exchange(
        self, process: asyncio.subprocess.Process, request: Request, limit: float
    ) -> Answer:
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(encode(request))
            await process.stdin.drain()
            line = await self._line(process, process.stdout, limit)
        except (ConnectionError, asyncio.LimitOverrunError, ValueError) as error:
            raise StatementError(f"The worker process broke off: {error}.") from error
        if not line:
            code = await process.wait()
            raise StatementError(
                f"The worker process for expectations died (exit {code}); it is started again for"
                " the next run."
            )
        return await asyncio.to_thread(decode_answer, line)

    async def _line(
        self, process: asyncio.subprocess.Process, source: asyncio.StreamReader, limit: float
    ) -> bytes:
        reading = asyncio.create_task(source.readline(), name="answer of the expectations worker")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + limit
        try:
            while not (await asyncio.wait({reading}, timeout=_WATCH_SECONDS))[0]:
                self._check_memory(process.pid)
                if loop.time() > deadline:
                    raise StatementError(
                        f"The suite took longer than {limit:.0f} s and was ended: raise its"
                        " timeout, or give it fewer or cheaper expectations."
                    )
            return reading.result()
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    def _check_memory(self, pid: int) -> None:
        used = resident_bytes(pid)
        if used is not None and used > self._memory_limit:
            raise StatementError(
                f"The worker process for expectations held {used // 2**20} MiB, its limit is"
                f" {self._memory_limit // 2**20} MiB: it was ended. Give the suite fewer"
                " expectations that fetch values."
            )

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        await process.wait()
        log.info("expectations_worker_ended", pid=process.pid)


def resident_bytes(pid: int) -> int | None:
    """What a process holds in memory; None where /proc does not say."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError, ValueError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
