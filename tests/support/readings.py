"""However small the tables are: the ways in which few artworks are looked at alone."""

from __future__ import annotations

from enum import Enum

import pytest

from checks import census as counting


class Reading(Enum):
    """Whether each impression is looked up, or each page visited once, or all are read."""

    LOOKED_UP = (0, 0)
    BY_PAGES = (100, 0)
    IN_ONE_PASS = (100, 10**9)


READINGS = tuple(Reading)


def read_few(patch: pytest.MonkeyPatch, reading: Reading) -> None:
    """Looking at the incomplete artworks alone is cheaper than at everything, and is done so."""
    patch.setattr(counting, "PASS_SHARE", 0)
    for name, value in zip(("PROBE_COST", "PAGES_SHARE"), reading.value, strict=True):
        patch.setattr(counting, name, value)
