"""Random configurations over random tables: counted, explained, healed and taken back, alone and
among writers, each held against the plain anti-join and the record of every write."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.integration.test_any_catalogue import count
from tests.support.healed_catalogues import heal_among_writers, heal_and_undo, make_tables


@dataclass
class Tried:
    """What came of it."""

    configurations: int = 0
    rows: int = 0
    """Rows of ours that were looked at."""
    wrong: list[str] = field(default_factory=list)
    """A sentence for each seed with which anything was not as it should be."""
    seconds: float = 0.0

    def __str__(self) -> str:
        head = (
            f"catalogues: {self.configurations} configurations in {self.seconds:.0f} s,"
            f" {self.rows} rows written or taken back, {len(self.wrong)} wrong"
        )
        return "\n".join([head, *self.wrong])


async def try_catalogues(url: str, *, number: int, seed: int) -> Tried:
    """So many to count, a third as many to heal, and a ninth among writers, in one database."""
    make_tables(url)
    tried, began = Tried(), time.monotonic()

    async def counted(where: str, one: int) -> int:
        await count(where, one)
        return 0

    forms: tuple[tuple[Callable[[str, int], Awaitable[int]], int], ...] = (
        (counted, number),
        (heal_and_undo, number // 3),
        (heal_among_writers, number // 9),
    )
    for form, times in forms:
        for one in range(seed, seed + times):
            tried.configurations += 1
            try:
                tried.rows += await form(url, one)
            except AssertionError as error:
                tried.wrong.append(f"{form.__name__}, seed {one}: {str(error)[:500]}")
    tried.seconds = time.monotonic() - began
    return tried
