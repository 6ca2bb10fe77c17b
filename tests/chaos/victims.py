"""The command in a process of its own.

Each is forked from a process that has loaded the program and has done nothing with it: a start
takes a thirtieth of the time, and the process is as real, and dies as any other.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from tests.support.commands import environment
from tests.support.waiting import wait_until

_FORKS = multiprocessing.get_context("forkserver")
PATIENCE_SECONDS = 60.0


class Victim:
    """A running `conservator ARGUMENTS`."""

    def __init__(self, process: ForkServerProcess, output: Path) -> None:
        self._process = process
        self._output = output

    @property
    def code(self) -> int | None:
        """Its exit code, negative for the signal that ended it; None while it runs."""
        return self._process.exitcode

    @property
    def said(self) -> str:
        """Everything that it wrote."""
        return self._output.read_text(errors="replace")

    def send(self, number: signal.Signals) -> None:
        """A signal, unless it has ended."""
        if self.code is None and self._process.pid is not None:
            # A forked process is known to have ended only a moment after it has.
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    async def ended(self, patience_seconds: float = PATIENCE_SECONDS) -> int:
        """Its exit code, once it has ended. AssertionError when it never does."""
        await wait_until(self._has_ended, patience_seconds)
        code = self.code
        assert code is not None
        return code

    def _has_ended(self) -> bool:
        return self.code is not None


@contextmanager
def victim(directory: Path, *arguments: str) -> Iterator[Victim]:
    """`conservator ARGUMENTS` in `directory`; it doesn't outlive the context."""
    _FORKS.set_forkserver_preload(["monitor.cli", "monitor.cli.heal", "monitor.cli.runs"])
    output = directory / f"{len(list(directory.glob('*.said')))}.said"
    output.touch()
    process = _FORKS.Process(target=_run, args=(directory, output, arguments), daemon=True)
    process.start()
    started = Victim(process, output)
    try:
        yield started
    finally:
        started.send(signal.SIGKILL)
        process.join()
        process.close()


def _run(directory: Path, output: Path, arguments: tuple[str, ...]) -> None:
    """In the child: what the command's entry point does."""
    with output.open("ab") as said:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
    cleaned = environment()
    os.environ.clear()
    os.environ.update(cleaned)
    os.chdir(directory)
    sys.argv = ["conservator", *arguments]
    from monitor.cli.app import main

    main()
