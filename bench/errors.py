"""What goes wrong with a benchmark itself."""

from __future__ import annotations


class BenchmarkError(Exception):
    """A contender did not do what was to be timed."""
