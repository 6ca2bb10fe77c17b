"""A child process that ends when we do, however we end."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path

from monitor.demo.processes import ServerUser, children, identity, send, wait_until_gone

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class Child:
    """A running program in a session of its own, so that the terminal's Ctrl-C spares it."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        output: Path,
        directory: Path,
        user: ServerUser | None,
        farewell: signal.Signals,
    ) -> None:
        """Starts it. Raises OSError when that can't be done.

        output: the file that its standard output and error are appended to.
        directory: where it runs.
        farewell: what the kernel sends it when we are gone; on Linux only.
        """
        self._status: int | None = None
        self._ended = threading.Event()
        born: Future[int] = Future()

        def launch() -> subprocess.Popen[bytes]:
            environment = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
            with output.open("ab") as log:
                return subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=directory,
                    env=environment,
                    start_new_session=True,
                    preexec_fn=_dying_with_parent(farewell),  # noqa: PLW1509 - two system calls
                    **identity(user),
                )

        # The kernel watches the thread that forked, not its process. So a thread of its own
        # forks and lives as long as the child, from whatever pool we have been called.
        def guard() -> None:
            try:
                process = launch()
            except BaseException as error:
                born.set_exception(error)
                return
            born.set_result(process.pid)
            self._status = process.wait()
            self._ended.set()

        name = f"guard of {Path(command[0]).name}"
        threading.Thread(target=guard, name=name, daemon=True).start()
        self.pid = born.result()

    @property
    def status(self) -> int | None:
        """The exit status, the negative number of the signal that ended it; None while it runs."""
        return self._status

    def wait(self, timeout: float | None = None) -> int | None:
        """Its exit status, or None when it still runs after `timeout` seconds."""
        self._ended.wait(timeout)
        return self._status

    def send(self, signal_number: signal.Signals) -> None:
        """Sends it a signal, unless it has ended."""
        if self._status is None:
            send(self.pid, signal_number)

    def kill(self) -> None:
        """Ends it and its own children with SIGKILL and returns when all are gone."""
        if self._status is not None:
            return
        family = (self.pid, *children(self.pid))
        for pid in family:
            send(pid, signal.SIGKILL)
        self.wait()
        wait_until_gone(family, seconds=10.0)


def _dying_with_parent(farewell: signal.Signals) -> Callable[[], None] | None:
    """What `subprocess` calls between fork and exec, after the change of account.

    In that order, because a change of account clears what is set here. None on systems other
    than Linux, where the next start finds what a killed parent has left.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl  # looked up before the fork, not after
    parent = os.getpid()

    def arrange() -> None:
        prctl(_PR_SET_PDEATHSIG, int(farewell), 0, 0, 0)
        if os.getppid() != parent:  # the parent died before the kernel knew
            os._exit(1)

    return arrange
