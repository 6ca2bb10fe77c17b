"""A program beside the tests that ends when we do, also when pytest is killed."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

from monitor.demo.server import Account, identity

_PROC = Path("/proc")
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class ChildProcess:
    """A running program in a session of its own, so that the terminal's Ctrl-C spares it."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        output: Path,
        directory: Path,
        account: Account = None,
        parent_death_signal: signal.Signals = signal.SIGKILL,
    ) -> None:
        """Starts it. Raises OSError when that can't be done.

        output: the file that its standard output and error are appended to.
        directory: where it runs.
        parent_death_signal: what the kernel sends it when we are gone; on Linux only.
        """
        self._status: int | None = None
        self._ended = threading.Event()
        started: Future[int] = Future()

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
                    preexec_fn=_dying_with_parent(parent_death_signal),  # noqa: PLW1509
                    **identity(account),
                )

        # The kernel watches the thread that forked, not its process. So a thread of its own
        # forks and lives as long as the child, from whatever pool we have been called.
        def guard() -> None:
            try:
                process = launch()
            except BaseException as error:
                started.set_exception(error)
                return
            started.set_result(process.pid)
            self._status = process.wait()
            self._ended.set()

        name = f"guard of {Path(command[0]).name}"
        threading.Thread(target=guard, name=name, daemon=True).start()
        self.pid = started.result()

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
            _send(self.pid, signal_number)

    def kill(self) -> None:
        """Ends it and its own children with SIGKILL and returns when all are gone."""
        if self._status is not None:
            return
        family = (self.pid, *_children(self.pid))
        for pid in family:
            _send(pid, signal.SIGKILL)
        self.wait()
        _wait_until_gone(family, seconds=10.0)


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended but was not yet collected does not."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


def command_line(pid: int) -> str:
    """The process's arguments, joined by blanks; empty when it is gone."""
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def _dying_with_parent(signal_number: signal.Signals) -> Callable[[], None] | None:
    """What `subprocess` calls between fork and exec, after the change of account.

    In that order, because a change of account clears what is set here. None on systems other
    than Linux.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl  # looked up before the fork, not after
    parent = os.getpid()

    def arrange() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal_number), 0, 0, 0)
        if os.getppid() != parent:  # the parent died before the kernel knew
            os._exit(1)

    return arrange


def _children(pid: int) -> tuple[int, ...]:
    try:
        listed = (_PROC / str(pid) / "task" / str(pid) / "children").read_text()
    except OSError:
        return ()
    return tuple(int(child) for child in listed.split())


def _send(pid: int, signal_number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal_number)


def _wait_until_gone(pids: Iterable[int], *, seconds: float) -> None:
    left = [*pids]
    deadline = time.monotonic() + seconds
    while (left := [pid for pid in left if is_alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.01)
