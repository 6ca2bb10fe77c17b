"""The settings of property-based tests that ask a database for each example."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings

TIMES = float(os.environ.get("EXAMPLES", "1"))
"""How many times as many examples as usual: `make fuzz` says ten."""

Test = TypeVar("Test", bound=Callable[..., object])


def examples(number: int) -> Callable[[Test], Test]:
    """So many examples, however long each takes; fixtures are shared by all of them. With the mark
    `generated`, by which `make fuzz` finds it."""
    chosen = settings(
        max_examples=max(1, round(number * TIMES)),
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )

    def decorate(test: Test) -> Test:
        marked: Test = pytest.mark.generated(chosen(test))
        return marked

    return decorate
