"""`timestamps`: times that can't be, from which every age is wrong.

Impressions viewed before their artwork existed; views and creations in the future; artworks
without creation time. An artwork that `catalog.artworks.where` leaves out is not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.fragments import SKEW, first_moment, fragments, last_moment, not_long_before
from checks.judgement import (
    MAX_EVIDENCE,
    NO_ID,
    Measurement,
    count_of,
    interleave_evidence,
    iso_utc,
)
from checks.relations import Catalogue
from checks.spec import Cutoffs, PoolsSpec
from checks.statements import render

FIRST_VIEWS = "timestamps_first_views"
BEFORE_ARTWORK = "timestamps_before_artwork"
FUTURE_IMPRESSIONS = "timestamps_future_impressions"
FUTURE_ARTWORKS = "timestamps_future_artworks"
UNDATED_ARTWORKS = "timestamps_undated_artworks"


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of fault: the statement that finds it, and what it is called in a sentence."""

    name: str
    statement: str
    thing: str
    words: str


_KINDS = (
    _Kind(
        "impressions_before_artwork",
        BEFORE_ARTWORK,
        "impression",
        "viewed before the artwork existed",
    ),
    _Kind("impressions_in_future", FUTURE_IMPRESSIONS, "impression", "viewed in the future"),
    _Kind("artworks_in_future", FUTURE_ARTWORKS, "artwork", "created in the future"),
    _Kind("artworks_without_time", UNDATED_ARTWORKS, "artwork", "without creation time"),
)


def statements(catalogue: Catalogue, pools: PoolsSpec) -> dict[str, str]:
    """What is asked, by name, parameters unbound; nothing that a NOT NULL makes impossible."""
    spec = catalogue.spec
    created = catalogue.artworks.columns[spec.artworks.created_at]
    viewed = catalogue.impressions.columns[spec.impressions.viewed_at]
    names = {
        **fragments(catalogue, pools),
        "first_created": first_moment(created, spec.timezone),
        "first_viewed": first_moment(viewed, spec.timezone),
        "last_viewed": last_moment(viewed, spec.timezone),
        "may_be_created_in_future": not_long_before(created, spec.timezone, "future"),
        "may_be_viewed_in_future": not_long_before(viewed, spec.timezone, "future"),
    }
    asked = [FIRST_VIEWS, BEFORE_ARTWORK, FUTURE_IMPRESSIONS, FUTURE_ARTWORKS]
    if not created.not_null:
        asked.append(UNDATED_ARTWORKS)
    return {name: render("checks", name, names) for name in asked}


def parameters(cutoffs: Cutoffs) -> dict[str, object]:
    """What the statements bind."""
    return {"skew": SKEW, "future": cutoffs.now + SKEW, "evidence": MAX_EVIDENCE}


async def measure(
    connection: AsyncConnection, catalogue: Catalogue, pools: PoolsSpec, cutoffs: Cutoffs
) -> Measurement:
    """Count the rows, of either table, with a time that can't be; each row once."""
    asked = statements(catalogue, pools)
    values = parameters(cutoffs)
    suspects = await connection.exec_driver_sql(asked[FIRST_VIEWS], values)
    if suspects.scalar_one() == 0:
        del asked[BEFORE_ARTWORK]
    rows = {
        kind: list(await connection.exec_driver_sql(asked[kind.statement], values))
        for kind in _KINDS
        if kind.statement in asked
    }
    numbers = {kind.name: _found(rows.get(kind, ())) for kind in _KINDS}
    return Measurement(
        value=sum(numbers.values()),
        message=_sentence(numbers),
        numbers=numbers,
        evidence=interleave_evidence(
            [[_evidence(kind, row) for row in rows[kind]] for kind in rows]
        ),
    )


def _found(rows: Sequence[Row[Any]]) -> int:
    return rows[0].found if rows else 0


def _sentence(numbers: Mapping[str, int]) -> str:
    parts = [
        f"{count_of(numbers[kind.name], kind.thing)} {kind.words}"
        for kind in _KINDS
        if numbers[kind.name]
    ]
    return f"{', '.join(parts)}." if parts else "Every time is one that can be."


def _evidence(kind: _Kind, row: Row[Any]) -> Mapping[str, str]:
    shown = {"kind": kind.name}
    for name, value in row._mapping.items():
        if name.endswith("_id"):
            shown[name] = NO_ID if value is None else value
        elif name.endswith("_at"):
            shown[name] = iso_utc(value)
    return shown
