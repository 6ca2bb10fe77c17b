"""What runs in the worker process; Great Expectations is imported there and nowhere else.

Errors leave as SuiteError, a sentence: an exception of a library's own could not be unpickled
without importing the library into the service.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from checks.errors import StatementError
from monitor.checking.expectations.results import Fault, Validated
from monitor.config import ExpectationsCheck


class SuiteError(StatementError):
    """The worker could not do what it was asked, and is well."""


def initialize() -> None:
    """Silence what libraries print, and watch the service."""
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End when the service does, even if it is killed in the middle of a suite."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


@contextmanager
def _errors_as_sentences() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise SuiteError(lines[0]) from None


@_errors_as_sentences()
def load() -> int:
    """Import Great Expectations, which takes seconds; returns the id of this process."""
    # No usage statistics leave this machine; must be set before the import.
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    from monitor.checking.expectations import suites  # noqa: F401, PLC0415

    return os.getpid()


@_errors_as_sentences()
def find_faults(checks: tuple[ExpectationsCheck, ...]) -> tuple[Fault, ...]:
    """What Great Expectations does not know of the suites; touches no database."""
    from monitor.checking.expectations import suites  # noqa: PLC0415

    return tuple(fault for check in checks for fault in suites.find_faults(check))


@_errors_as_sentences()
def validate(url: str, timeout_ms: int, check: ExpectationsCheck) -> Validated:
    """Run a suite. `url` is SQLAlchemy's and may hold a password: it comes through a pipe."""
    from monitor.checking.expectations import suites  # noqa: PLC0415

    return suites.validate(url, timeout_ms, check)


@_errors_as_sentences()
def render(documents: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The report of each validation, as HTML by suite."""
    from monitor.checking.expectations import suites  # noqa: PLC0415

    return {suite: suites.render(document) for suite, document in documents.items()}
