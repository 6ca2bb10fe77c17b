"""Many inputs, and how many of them were taken."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

Input = TypeVar("Input")


@dataclass
class Figures:
    """How many inputs were tried, and taken."""

    name: str
    tried: int = 0
    taken: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.tried} inputs in {self.seconds:.0f} s, {self.taken} taken,"
            f" {self.tried - self.taken} refused"
        )


def campaign(
    name: str,
    inputs: st.SearchStrategy[Input],
    is_taken: Callable[[Input], bool],
    *,
    examples: int,
    number: int = 1,
) -> Figures:
    """Try so many inputs; an AssertionError of `is_taken` comes with the smallest that causes it.
    The same `number` tries the same ones."""
    figures = Figures(name)

    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(inputs)
    def attempt(tried: Input) -> None:
        figures.tried += 1
        figures.taken += is_taken(tried)

    began = time.monotonic()
    attempt()
    figures.seconds = time.monotonic() - began
    return figures
