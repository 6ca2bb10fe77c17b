"""The command line, and the one place that joins the service with its exporters.

app         the program, its commands, every error as one sentence and the right exit code
signals     what ends a command that is under way; here: one that has not begun
session     configuration, engine, catalogue: what most commands begin with
foreground  a run that a person asks for: plan, ask, work, verify; heal and undo are made of it
output      tables for people, JSON for programs, logs
serving     the service with its HTTP side: serve, and the demo, run it
others      the commands: one, or a few that belong together, a file
"""

from __future__ import annotations

import os
import signal
import sys

ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""The signals that end a command. `serve` takes SIGHUP for something else."""


def main() -> None:
    """The entry point: an exit code of the contract, and never a traceback."""
    # First of all: what loads takes its time, and the first process of a container is not ended by
    # a signal that it does nothing about.
    if "serve" in sys.argv:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the file is about to be read anyway
    for number in ENDING:
        if not is_ignored(number):
            signal.signal(number, leave)
    from monitor.cli.app import main as run_command  # noqa: PLC0415

    run_command()


def is_ignored(number: signal.Signals) -> bool:
    """Whether it is a closed terminal under nohup."""
    return number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN


def leave(number: int, _: object = None) -> None:
    """End at once, as if nothing had been done about the signal: nothing is under way that would
    have to be ended in order."""
    try:
        os.write(2, b"conservator: Stopped.\n")
    finally:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        os._exit(128 + number)  # the first process of a container is still there
