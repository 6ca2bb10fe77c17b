"""The command in a process of its own, forked from one that has loaded the program and has done
nothing with it: a start takes a thirtieth of the time, and the process is as real, and dies as any
other.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from multiprocessing import connection, forkserver
from multiprocessing.context import ForkServerProcess
from pathlib import Path

_FORKS = multiprocessing.get_context("forkserver")
_COMMANDS = ("check", "docs", "explain", "heal", "runs", "serving", "setup", "switches")


_reading = threading.Lock()
"""How a process ended is read once, and a start asks that of all others, whichever thread waits for
them: who came second would read nothing, which passes for the code 255."""


class Forked:
    """What `fork` has started, to be asked and told as what subprocess.Popen has started."""

    def __init__(self, process: ForkServerProcess) -> None:
        self._process = process
        assert process.pid is not None
        self.pid = process.pid

    def poll(self) -> int | None:
        """How it ended, a signal as a negative number; None while it runs."""
        with _reading:
            return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """How it ended, as soon as it has; TimeoutExpired when that takes longer."""
        connection.wait([self._process.sentinel], timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired("conservator", timeout or 0.0)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        """Harmless when it has ended."""
        if self.poll() is None:
            # It is known to have ended only a moment after it has.
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


def fork(
    directory: Path,
    arguments: tuple[str, ...],
    streams: tuple[Path, Path, Path],
    environment: Mapping[str, str],
) -> Forked:
    """`conservator ARGUMENTS` in `directory`, started; what it reads, says, and complains."""
    _load_program()
    process = _FORKS.Process(target=_run, args=(directory, arguments, streams, dict(environment)))
    with _reading:
        process.start()
    return Forked(process)


@cache
def _load_program() -> None:
    """The first start decides what all see that was read from the environment by then."""
    _FORKS.set_forkserver_preload([f"monitor.cli.{name}" for name in ("app", *_COMMANDS)])
    ours = dict(os.environ)
    _replace_environment(plain_environment())
    for name in ("COLUMNS", "LINES"):
        os.unsetenv(name)  # readline, which pytest loads, sets them behind the back of os.environ
    try:
        forkserver.ensure_running()
    finally:
        _replace_environment(ours)


def plain_environment() -> dict[str, str]:
    """Ours, without what would speak for the configuration or the terminal."""
    ours = ("PG", "CONSERVATOR_", "DATABASE_URL", "COLUMNS", "FORCE_COLOR")
    return {key: value for key, value in os.environ.items() if not key.startswith(ours)}


def _replace_environment(environment: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)


def _run(
    directory: Path,
    arguments: tuple[str, ...],
    streams: tuple[Path, Path, Path],
    environment: dict[str, str],
) -> None:
    """In the child: what the command's entry point does."""
    for descriptor, path in enumerate(streams):
        mode = os.O_RDONLY if descriptor == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND
        opened = os.open(path, mode, 0o644)
        os.dup2(opened, descriptor)
        os.close(opened)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - a forked process has /dev/null instead
    _replace_environment(environment)
    os.chdir(directory)
    sys.argv = ["conservator", *arguments]
    from monitor.cli import main

    main()
