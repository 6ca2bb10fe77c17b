"""Our own columns that hold ids and moments of the app, and whether they still have its types.

They get the app's types when the state schema is made, so that an analyst joins the ledger without
a cast. The app's may change afterwards; ours follow by `conservator init`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.citus.cluster import LEDGER
from checks.fragments import viewed_column
from checks.relations import Catalogue, Column
from checks.statements import template


class Original(StrEnum):
    """The column of the app whose type one of ours has."""

    USER = "user"
    """The id in the users table."""
    ARTWORK = "artwork"
    IMPRESSION_USER = "impression_user"
    """The user that an impression names."""
    IMPRESSION_ARTWORK = "impression_artwork"
    VIEWED_AT = "viewed_at"


FOLLOWERS: Mapping[tuple[str, str], Original] = {
    ("run", "subject"): Original.USER,
    ("run", "artwork_cursor"): Original.ARTWORK,
    ("run", "user_cursor"): Original.IMPRESSION_USER,
    ("work", "user_id"): Original.USER,
    ("backfilled_user", "user_id"): Original.USER,
    (LEDGER, "user_id"): Original.IMPRESSION_USER,
    (LEDGER, "artwork_id"): Original.IMPRESSION_ARTWORK,
    (LEDGER, "viewed_at"): Original.VIEWED_AT,
    ("quarantine", "user_id"): Original.USER,
    ("quarantine", "artwork_id"): Original.ARTWORK,
    ("ledger_sweep", "user_id"): Original.IMPRESSION_USER,
    ("ledger_sweep", "artwork_id"): Original.IMPRESSION_ARTWORK,
    ("tally_artwork", "artwork_id"): Original.ARTWORK,
    ("tally_user", "user_id"): Original.USER,
}
"""(table, column) in the state schema -> what it follows."""
_INTEGERS, _TEXTS = frozenset({20, 21, 23}), frozenset({25, 1043})
"""pg_type.oid of int8, int2, int4; of text and varchar: the same everywhere."""
CURSORS = frozenset(
    {
        ("run", "artwork_cursor"),
        ("run", "user_cursor"),
        ("ledger_sweep", "user_id"),
        ("ledger_sweep", "artwork_id"),
    }
)
"""Places in an order, which another type or collation may sort otherwise; null: from the start."""


@dataclass(frozen=True, slots=True)
class StateColumn:
    """One of our columns, as it is."""

    table: str
    name: str
    type: str
    oid: int
    """pg_type.oid of its type."""
    limited: bool
    """The type has a length or precision, which a longer value exceeds."""
    category: str
    """pg_type.typcategory."""
    collation: str | None
    """Quoted; None for that of the type."""

    @property
    def key(self) -> tuple[str, str]:
        """Table and column."""
        return self.table, self.name

    @property
    def storage(self) -> str:
        """Its type with its collation."""
        return self.type if self.collation is None else f"{self.type} COLLATE {self.collation}"


@dataclass(frozen=True, slots=True)
class Difference:
    """One of our columns whose original has another type now."""

    ours: StateColumn
    original: Column


def originals(catalogue: Catalogue) -> Mapping[Original, Column]:
    """The app's columns that ours follow."""
    spec, impressions = catalogue.spec, catalogue.impressions.columns
    return {
        Original.USER: catalogue.users.columns[spec.users.id],
        Original.ARTWORK: catalogue.artworks.columns[spec.artworks.id],
        Original.IMPRESSION_USER: impressions[spec.impressions.user],
        Original.IMPRESSION_ARTWORK: impressions[spec.impressions.artwork],
        # Where the table does not say when, the ledger has the moment of writing.
        Original.VIEWED_AT: viewed_column(catalogue).column,
    }


async def read_state_columns(
    connection: AsyncConnection, state_schema: str
) -> tuple[StateColumn, ...]:
    """Ours, in the order of `FOLLOWERS`; none where there is no state schema."""
    tables, columns = zip(*FOLLOWERS, strict=True)
    values = {"state_schema": state_schema, "tables": list(tables), "columns": list(columns)}
    text = template("checks", "catalogue_state_columns")
    found = [
        StateColumn(**row) for row in (await connection.exec_driver_sql(text, values)).mappings()
    ]
    order = list(FOLLOWERS)
    return tuple(sorted(found, key=lambda one: order.index(one.key)))


def differences(catalogue: Catalogue, found: tuple[StateColumn, ...]) -> tuple[Difference, ...]:
    """Those of ours that an id or moment may not fit, or not be found again in."""
    wanted = originals(catalogue)
    compared = (Difference(ours, wanted[FOLLOWERS[ours.key]]) for ours in found)
    return tuple(one for one in compared if not _fits(one.ours, one.original))


def keeps_values(one: Difference) -> bool:
    """Whether both types compare with each other, and every value stays what it is."""
    ours, original = one.ours, one.original
    if (ours.oid, ours.collation) == (original.base_oid, original.collation):
        return True
    both = {ours.oid, original.base_oid}
    return both <= _INTEGERS or (both <= _TEXTS and ours.collation == original.collation)


def _fits(ours: StateColumn, original: Column) -> bool:
    """A length of ours must be the original's; without any it holds everything."""
    same = (ours.oid, ours.collation) == (original.base_oid, original.collation)
    return same and (not ours.limited or ours.type == original.type)
