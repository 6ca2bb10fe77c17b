"""The worker process: the only place that imports Great Expectations.

Reads requests from standard input, a line each, and answers on standard output. It ends when its
input does, even in the middle of a suite, so that no service leaves one behind.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from typing import BinaryIO

from monitor.checking.expectations.messages import (
    Answer,
    Failed,
    Judge,
    Request,
    Validate,
    decode_request,
    encode,
)

MISSING_EXTRA = (
    "Great Expectations is not installed here: pip install 'conservator[expectations]', or take"
    " the suites out of checks.expectations."
)


def main() -> None:
    """Answer requests until standard input ends."""
    answers = _private_output()
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(sys.stdin.buffer, requests), daemon=True).start()
    while True:
        answers.write(encode(_answer(decode_request(requests.get()))))
        answers.flush()


def _private_output() -> BinaryIO:
    """Standard output for ourselves; what libraries print there goes to standard error."""
    private = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return private


def _read(source: BinaryIO, requests: queue.SimpleQueue[bytes]) -> None:
    for line in iter(source.readline, b""):
        requests.put(line)
    os._exit(0)


def _answer(request: Request) -> Answer:
    try:
        # No usage statistics leave this machine; must be set before the import.
        os.environ["GX_ANALYTICS_ENABLED"] = "false"
        from monitor.checking.expectations import suites  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name in {"great_expectations", "pandas"}:
            return Failed(MISSING_EXTRA)
        raise
    try:
        if isinstance(request, Judge):
            return suites.judge(request)
        if isinstance(request, Validate):
            return suites.validate(request)
        return suites.render(request)
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return Failed(lines[0])


if __name__ == "__main__":
    main()
