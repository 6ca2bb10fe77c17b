"""Evidence of several kinds: a few of each instead of many of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, islice, zip_longest

from checks.measurement import MAX_EVIDENCE

NO_ID = "(null)"
"""In evidence, the id that a row does not have."""


def mixed(kinds: Iterable[Sequence[Mapping[str, str]]]) -> tuple[Mapping[str, str], ...]:
    """The first of each kind, then the second of each, until MAX_EVIDENCE or the end."""
    rounds = chain.from_iterable(zip_longest(*kinds))
    return tuple(islice((row for row in rounds if row is not None), MAX_EVIDENCE))
