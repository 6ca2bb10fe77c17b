"""What is being done now, on stderr: a benchmark of minutes shall not look dead."""

from __future__ import annotations

import sys
import time

_STARTED = time.monotonic()


def note(what: str) -> None:
    """One line, with the time since the program began."""
    minutes, seconds = divmod(int(time.monotonic() - _STARTED), 60)
    print(f"{minutes:2}:{seconds:02}  {what}", file=sys.stderr, flush=True)


def elapsed() -> float:
    """Seconds since the program began."""
    return time.monotonic() - _STARTED
