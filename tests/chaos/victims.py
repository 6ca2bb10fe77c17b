"""The command in a process of its own, to be killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.forks import Forked, fork, plain_environment
from tests.support.waiting import wait_until

PATIENCE_SECONDS = 60.0


class Victim:
    """A running `conservator ARGUMENTS`."""

    def __init__(self, process: Forked, output: Path) -> None:
        self._process = process
        self._output = output

    @property
    def code(self) -> int | None:
        """Its exit code, negative for the signal that ended it; None while it runs."""
        return self._process.poll()

    @property
    def said(self) -> str:
        """Everything that it wrote."""
        return self._output.read_text(errors="replace")

    def send(self, number: signal.Signals) -> None:
        """A signal, unless it has ended."""
        self._process.send_signal(number)

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
    output = directory / f"{len(list(directory.glob('*.said')))}.said"
    output.touch()
    process = fork(directory, arguments, (Path(os.devnull), output, output), plain_environment())
    started = Victim(process, output)
    try:
        yield started
    finally:
        started.send(signal.SIGKILL)
        process.wait()
