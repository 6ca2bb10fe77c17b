"""`orphan_impressions`: impressions whose user or artwork is gone, or was never named.

They inflate the total, and keep the census from its cheapest form.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.fragments import fragments
from checks.judgement import MAX_EVIDENCE, NO_ID, Measurement, count_of, interleave_evidence
from checks.relations import Catalogue, ForeignKey, Relation
from checks.spec import Cutoffs, PoolsSpec
from checks.statements import Fragments, identifier, render

STATEMENT = "orphan_impressions"
BOTH = "orphan_impressions_both"


@dataclass(frozen=True, slots=True)
class _Side:
    """One of the two references that an impression is made of."""

    thing: str
    column: str
    target: Relation
    target_id: str

    def proof(self, catalogue: Catalogue) -> ForeignKey | None:
        """The foreign key that makes orphans of this side impossible, if there is one."""
        key = catalogue.impressions.foreign_key_to(self.target, self.column, self.target_id)
        return key if catalogue.impressions.columns[self.column].not_null else None

    def statement(self, names: Fragments) -> str:
        """Asks for the ids of this side that are missing."""
        side = {
            "column": identifier(self.column),
            "target": identifier(self.target.schema, self.target.name),
            "target_id": identifier(self.target_id),
        }
        return render("checks", STATEMENT, {**names, **side})


@dataclass(frozen=True, slots=True)
class _Missing:
    """What was found of one side. `ids` are examples, the worst first."""

    impressions: int = 0
    ids_missing: int = 0
    ids: tuple[str, ...] = ()


def _sides(catalogue: Catalogue) -> tuple[_Side, _Side]:
    spec = catalogue.spec
    return (
        _Side("user", spec.impressions.user, catalogue.users, spec.users.id),
        _Side("artwork", spec.impressions.artwork, catalogue.artworks, spec.artworks.id),
    )


def statements(catalogue: Catalogue, pools: PoolsSpec) -> dict[str, str]:
    """What is asked, by name, parameters unbound; nothing about a side that is proven."""
    names = fragments(catalogue, pools)
    open_sides = [side for side in _sides(catalogue) if side.proof(catalogue) is None]
    found = {f"{STATEMENT}_{side.thing}": side.statement(names) for side in open_sides}
    if len(open_sides) > 1:
        found[BOTH] = render("checks", BOTH, names)
    return found


async def measure(
    connection: AsyncConnection, catalogue: Catalogue, pools: PoolsSpec, cutoffs: Cutoffs
) -> Measurement:
    """Count impressions with at least one side missing. Skipped where constraints refuse them."""
    proofs = [side.proof(catalogue) for side in _sides(catalogue)]
    keys = [key.name for key in proofs if key is not None]
    if len(keys) == len(proofs):
        return Measurement(
            value=None,
            message=f"Impossible: the foreign keys {keys[0]} and {keys[1]} refuse orphans.",
            skipped=", ".join(keys),
        )
    asked = statements(catalogue, pools)
    users = await _missing(connection, asked.get(f"{STATEMENT}_user"))
    artworks = await _missing(connection, asked.get(f"{STATEMENT}_artwork"))
    both = 0
    if users.impressions and artworks.impressions:
        both = (await connection.exec_driver_sql(asked[BOTH])).scalar_one()
    return _measurement(users, artworks, users.impressions + artworks.impressions - both)


async def _missing(connection: AsyncConnection, statement: str | None) -> _Missing:
    if statement is None:
        return _Missing()
    result = await connection.exec_driver_sql(statement, {"evidence": MAX_EVIDENCE})
    found = result.all()
    if not found:
        return _Missing()
    ids = tuple(NO_ID if row.id is None else row.id for row in found)
    return _Missing(found[0].impressions, found[0].missing, ids)


def _measurement(users: _Missing, artworks: _Missing, value: int) -> Measurement:
    gone_users = [{"user_id": id_} for id_ in users.ids]
    gone_artworks = [{"artwork_id": id_} for id_ in artworks.ids]
    gone = [
        count_of(side.ids_missing, thing)
        for side, thing in ((users, "user"), (artworks, "artwork"))
        if side.ids_missing
    ]
    return Measurement(
        value=value,
        message=f"{count_of(value, 'impression')} of {' and '.join(gone)} not there."
        if value
        else "Every impression has its user and its artwork.",
        numbers={
            "impressions_without_user": users.impressions,
            "impressions_without_artwork": artworks.impressions,
            "missing_users": users.ids_missing,
            "missing_artworks": artworks.ids_missing,
        },
        evidence=interleave_evidence([gone_users, gone_artworks]),
    )
