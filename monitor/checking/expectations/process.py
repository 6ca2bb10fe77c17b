"""A process of this program's own, which does what it is called for, one call at a time.

Not by `multiprocessing`: its processes look for modules first in the folder where one stands, need
a place for semaphores, and say nothing of why they could not start. Nor does this one need an
account or a home.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[3]
"""Where our packages lie: for those who run a checkout without installing it."""
_PROGRAM = (
    "import sys; sys.path.append(sys.argv[1]);"
    "from monitor.checking.expectations.process import serve; serve()"
)
_WORDS_SECONDS = 1.0
"""How long the last words of a process that has ended are waited for."""


class ProcessDiedError(Exception):
    """The process is gone. `reason` is what it said last, where it said anything."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"exit {code}{reason and ': '}{reason}")


class CallError(Exception):
    """What was called raised; the process is well. The first line of it."""


class WorkerProcess:
    """One process, from its start to its end. Every method may block; none of them is for several
    threads but `kill`."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Start it. Raises OSError."""
        self._connection, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _PROGRAM, str(_ROOT)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=dict(environment),
            )
        self._words = ""
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        """Its id."""
        return self._process.pid

    def call(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """What `function` returns there. Raises CallError, ProcessDiedError."""
        try:
            self._connection.send((function, arguments))
            result, error = self._connection.recv()
        except (EOFError, OSError):
            raise ProcessDiedError(self._process.wait(), self._last_words()) from None
        if error is not None:
            raise CallError(error)
        return result

    def kill(self) -> None:
        """End it at once, whatever it does; harmless when repeated."""
        self._process.kill()
        self._process.wait()
        self._listener.join(_WORDS_SECONDS)
        self._connection.close()

    def _listen(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            for line in lines:
                self._words = line.decode(errors="replace").strip() or self._words

    def _last_words(self) -> str:
        self._listener.join(_WORDS_SECONDS)
        return self._words


def serve() -> None:
    """What the process does, until whoever started it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started it
    connection = Connection(0)
    calls: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(connection, calls), daemon=True).start()
    while True:
        connection.send_bytes(_answer(calls.get()))


def _receive(connection: Connection[Any, Any], calls: queue.SimpleQueue[bytes]) -> None:
    """Take calls; end when no more can come, even if one is in the middle of its work."""
    try:
        while True:
            calls.put(connection.recv_bytes())
    except (EOFError, OSError):
        os._exit(1)


def _answer(call: bytes) -> bytes:
    """Errors leave as a sentence: an exception of a library's own could not be read without
    importing the library."""
    try:
        function, arguments = pickle.loads(call)  # from whoever started us
        return pickle.dumps((function(*arguments), None))
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return pickle.dumps((None, lines[0]))
