"""Rows that can't be right: duplicates, orphans, and times that can't be.

duplicate_impressions  pairs with more than one impression: they make the census dearer, which has
                       to fold them, and an undo or an upsert ambiguous
orphan_impressions     impressions whose user or artwork is gone, or was never named: they inflate
                       the total, and keep the census from its cheapest form. What is in another
                       table, by a foreign key, is not gone, and what a view leaves out need not be
timestamps             impressions viewed before their artwork existed, views and creations in the
                       future, artworks without creation time: every age of them is wrong. An
                       artwork that `catalog.artworks.where` leaves out is not looked at, nor are
                       impressions that don't say when

Each has a function for its statements, by name, parameters unbound, and one that measures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from checks import moment_steps
from checks.fragments import SKEW, created_column, fragments, table, viewed_column
from checks.judgement import (
    MAX_EVIDENCE,
    NO_ID,
    Measurement,
    count_of,
    interleave_evidence,
    iso_utc,
)
from checks.relations import Catalogue, ForeignKey, Kind, Relation
from checks.spec import Cutoffs, PoolsSpec
from checks.statements import identifier, raw, render

DUPLICATES = "duplicate_impressions"
ORPHANS = "orphan_impressions"
ORPHANS_BOTH = "orphan_impressions_both"
FIRST_VIEWS = "timestamps_first_views"
BEFORE_ARTWORK = "timestamps_before_artwork"
FUTURE_IMPRESSIONS = "timestamps_future_impressions"
FUTURE_ARTWORKS = "timestamps_future_artworks"
UNDATED_ARTWORKS = "timestamps_undated_artworks"

Rows = Sequence[Row[Any]]


def fault_parameters(cutoffs: Cutoffs) -> dict[str, object]:
    """What the statements of this module bind."""
    return {"skew": SKEW, "future": cutoffs.now + SKEW, "evidence": MAX_EVIDENCE}


def duplicates_sql(catalogue: Catalogue, pools: PoolsSpec) -> dict[str, str]:
    """What `duplicate_impressions` asks."""
    names = fragments(catalogue, pools)
    spec = catalogue.spec.impressions
    orders = {
        index.columns[:2] for index in catalogue.impressions.indexes if index.serves_every_row
    }
    # PostgreSQL before 17 groups in the order that is written, whatever the index's is.
    artwork_first = (spec.artwork, spec.user) in orders and (spec.user, spec.artwork) not in orders
    keys = raw("i.{artwork}, i.{user}" if artwork_first else "i.{user}, i.{artwork}")
    named = keys.format(user=names["user"], artwork=names["artwork"])
    return {DUPLICATES: render("checks", DUPLICATES, {**names, "keys": named})}


async def measure_duplicates(
    connection: AsyncConnection, catalogue: Catalogue, pools: PoolsSpec, cutoffs: Cutoffs
) -> Measurement:
    """Count the surplus impressions: one a pair is right. Skipped where an index refuses them, and
    where several are normal."""
    arbiter = catalogue.arbiter
    if arbiter is not None:
        return Measurement(
            value=None,
            message=f"Impossible: the unique index {arbiter.index} refuses duplicates.",
            skipped=arbiter.index,
        )
    if catalogue.spec.impressions.several:
        return Measurement(
            value=None,
            message="Several impressions a pair are normal here (catalog.impressions.several).",
            skipped="catalog.impressions.several",
        )
    asked = duplicates_sql(catalogue, pools)[DUPLICATES]
    found = await _rows(connection, asked, cutoffs)
    pairs, impressions = _total(found, "pairs"), _total(found, "impressions")
    surplus = impressions - pairs
    return Measurement(
        value=surplus,
        message=f"{count_of(surplus, 'surplus impression')} of {count_of(pairs, 'pair')}."
        if surplus
        else "No pair has more than one impression.",
        numbers={"pairs": pairs, "impressions": impressions, "surplus": surplus},
        evidence=tuple(_evidence(row) for row in found),
    )


@dataclass(frozen=True, slots=True)
class _Reference:
    """One of the two references that an impression is made of."""

    thing: str
    column: str
    target: Relation
    target_id: str

    @property
    def statement(self) -> str:
        return f"{ORPHANS}_{self.thing}"

    def proof(self, catalogue: Catalogue) -> ForeignKey | None:
        """The foreign key that makes orphans by this reference impossible, if there is one: to
        the configured table or another, in which the app keeps those that are no users here."""
        key = catalogue.impressions.key_of(self.column)
        return key if catalogue.impressions.columns[self.column].not_null else None

    @property
    def is_to_a_view(self) -> bool:
        """What is not in a view may be in the table beneath."""
        return self.target.kind in _VIEWS


_VIEWS = frozenset({Kind.VIEW, Kind.MATERIALIZED_VIEW})


def _references(catalogue: Catalogue) -> tuple[_Reference, _Reference]:
    spec = catalogue.spec
    return (
        _Reference("user", spec.impressions.user, catalogue.users, spec.users.id),
        _Reference("artwork", spec.impressions.artwork, catalogue.artworks, spec.artworks.id),
    )


def orphans_sql(catalogue: Catalogue, pools: PoolsSpec) -> dict[str, str]:
    """What `orphan_impressions` asks; nothing about a reference that is proven, or to a view."""
    names = fragments(catalogue, pools)
    open_ones = [
        one
        for one in _references(catalogue)
        if one.proof(catalogue) is None and not one.is_to_a_view
    ]
    found = {}
    for one in open_ones:
        reference = {
            "column": identifier(one.column),
            "target": table(one.target),
            "target_id": identifier(one.target_id),
        }
        found[one.statement] = render("checks", ORPHANS, {**names, **reference})
    if len(open_ones) > 1:
        found[ORPHANS_BOTH] = render("checks", ORPHANS_BOTH, names)
    return found


def _why_no_orphans(catalogue: Catalogue) -> Measurement | None:
    """Why none are looked for, where neither reference leaves a question."""
    references = _references(catalogue)
    proofs = [one.proof(catalogue) for one in references]
    keys = [key.name for key in proofs if key is not None]
    if len(keys) == len(references):
        return Measurement(
            value=None,
            message=f"Impossible: the foreign keys {keys[0]} and {keys[1]} refuse orphans.",
            skipped=", ".join(keys),
        )
    views = [
        one.target.configured
        for one, key in zip(references, proofs, strict=True)
        if key is None and one.is_to_a_view
    ]
    if len(keys) + len(views) < len(references):
        return None
    proven = f" The foreign key {keys[0]} refuses others." if keys else ""
    return Measurement(
        value=None,
        message=f"{_left_out(views)}{proven}",
        skipped=", ".join([*keys, *views]),
    )


def _left_out(views: Sequence[str]) -> str:
    verb = "is a view" if len(views) == 1 else "are views"
    return f"{' and '.join(views)} {verb}: what is not in a view need not be gone."


async def measure_orphans(
    connection: AsyncConnection, catalogue: Catalogue, pools: PoolsSpec, cutoffs: Cutoffs
) -> Measurement:
    """Count impressions with at least one reference to nobody. Skipped where keys refuse them."""
    none = _why_no_orphans(catalogue)
    if none is not None:
        return none
    references = _references(catalogue)
    asked = orphans_sql(catalogue, pools)
    found = {
        one.thing: await _rows(connection, asked.get(one.statement), cutoffs) for one in references
    }
    impressions = {thing: _total(rows, "impressions") for thing, rows in found.items()}
    missing = {thing: _total(rows, "missing") for thing, rows in found.items()}
    value = sum(impressions.values())
    if all(impressions.values()):
        (both,) = await _rows(connection, asked[ORPHANS_BOTH], cutoffs)
        value -= both[0]
    return Measurement(
        value=value,
        message=_orphans_told(catalogue, value, missing),
        numbers={
            **{f"impressions_without_{thing}": number for thing, number in impressions.items()},
            **{f"missing_{thing}s": number for thing, number in missing.items()},
        },
        evidence=interleave_evidence(
            [
                [{f"{thing}_id": NO_ID if row.id is None else row.id} for row in rows]
                for thing, rows in found.items()
            ]
        ),
    )


def _orphans_told(catalogue: Catalogue, value: int, missing: Mapping[str, int]) -> str:
    gone = [count_of(number, thing) for thing, number in missing.items() if number]
    views = [
        one for one in _references(catalogue) if one.is_to_a_view and one.proof(catalogue) is None
    ]
    if value:
        told = f"{count_of(value, 'impression')} of {' and '.join(gone)} not there."
    elif views:
        [checked] = {"user", "artwork"} - {one.thing for one in views}
        told = f"Every impression has its {checked}."
    else:
        told = "Every impression has its user and its artwork."
    return f"{told} {_left_out([one.target.configured for one in views])}" if views else told


@dataclass(frozen=True, slots=True)
class _TimeFault:
    """A kind of time that can't be, the statement that finds it, and its words in a sentence."""

    name: str
    statement: str
    thing: str
    words: str


_TIME_FAULTS = (
    _TimeFault(
        "impressions_before_artwork",
        BEFORE_ARTWORK,
        "impression",
        "viewed before the artwork existed",
    ),
    _TimeFault("impressions_in_future", FUTURE_IMPRESSIONS, "impression", "viewed in the future"),
    _TimeFault("artworks_in_future", FUTURE_ARTWORKS, "artwork", "created in the future"),
    _TimeFault("artworks_without_time", UNDATED_ARTWORKS, "artwork", "without creation time"),
)


_OF_IMPRESSIONS = (FIRST_VIEWS, BEFORE_ARTWORK, FUTURE_IMPRESSIONS)


def timestamps_sql(
    catalogue: Catalogue, pools: PoolsSpec, viewed_step: timedelta = moment_steps.NONE
) -> dict[str, str]:
    """What `timestamps` asks; nothing that a NOT NULL makes impossible, and nothing about viewing
    where the table does not say when.

    `viewed_step`: to what moments of viewing were cut down, apart from what their type says.
    """
    created = created_column(catalogue)
    viewed = replace(viewed_column(catalogue), step=viewed_step)
    names = {
        **fragments(catalogue, pools),
        "first_created": created.first(),
        "first_viewed": viewed.first(),
        "last_viewed": viewed.last(),
        "may_be_created_in_future": created.not_long_before("future"),
        "may_be_viewed_in_future": viewed.not_long_before("future"),
    }
    asked = [*(() if catalogue.viewed is None else _OF_IMPRESSIONS), FUTURE_ARTWORKS]
    if not created.column.not_null:
        asked.append(UNDATED_ARTWORKS)
    return {name: render("checks", name, names) for name in asked}


async def measure_timestamps(
    connection: AsyncConnection, catalogue: Catalogue, pools: PoolsSpec, cutoffs: Cutoffs
) -> Measurement:
    """Count the rows, of either table, with a time that can't be; each row once."""
    step = await moment_steps.viewed_step(connection, catalogue, pools)
    asked = timestamps_sql(catalogue, pools, step)
    if FIRST_VIEWS in asked:
        (suspects,) = await _rows(connection, asked[FIRST_VIEWS], cutoffs)
        if suspects[0] == 0:
            del asked[BEFORE_ARTWORK]
    possible = [
        fault
        for fault in _TIME_FAULTS
        if catalogue.viewed is not None or fault.statement not in _OF_IMPRESSIONS
    ]
    found = {
        fault: await _rows(connection, asked.get(fault.statement), cutoffs) for fault in possible
    }
    numbers = {fault: _total(rows, "found") for fault, rows in found.items()}
    parts = [
        f"{count_of(number, fault.thing)} {fault.words}"
        for fault, number in numbers.items()
        if number
    ]
    message = f"{', '.join(parts)}." if parts else "Every time is one that can be."
    if catalogue.viewed is None:
        message += " Impressions were left out: catalog.impressions.viewed_at is null."
    return Measurement(
        value=sum(numbers.values()),
        message=message,
        numbers={fault.name: number for fault, number in numbers.items()},
        evidence=interleave_evidence(
            [[{"kind": fault.name, **_evidence(row)} for row in found[fault]] for fault in found]
        ),
    )


async def _rows(connection: AsyncConnection, statement: str | None, cutoffs: Cutoffs) -> Rows:
    """What the statement finds; nothing where there is nothing to ask."""
    if statement is None:
        return ()
    return (await connection.exec_driver_sql(statement, fault_parameters(cutoffs))).all()


def _total(rows: Rows, name: str) -> int:
    """The statement's total `name`, which stands in each row."""
    return int(rows[0]._mapping[name]) if rows else 0


def _evidence(row: Row[Any]) -> dict[str, str]:
    """The ids and moments of a row."""
    shown = {}
    for name, value in row._mapping.items():
        if name.endswith("_id"):
            shown[name] = NO_ID if value is None else value
        elif name.endswith("_at"):
            shown[name] = iso_utc(value)
    return shown
