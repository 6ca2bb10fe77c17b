"""Everything that a rule may look at, and the few questions that several rules ask of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from checks.catalogue import Facts, Needs, artworks_needs, impressions_needs, users_needs
from checks.doctor.evidence import Evidence
from checks.relations import Column, Kind, Relation
from checks.spec import CatalogueSpec, PoolsSpec

TABLES = frozenset({Kind.TABLE, Kind.PARTITIONED})


@dataclass(frozen=True, slots=True)
class Place:
    """One of the three tables: its role, which is also its key in the configuration."""

    role: str
    configured: str
    relation: Relation | None
    needs: Needs
    where: str | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two columns that the statements compare with `=`."""

    left: Relation
    left_column: str
    right: Relation
    right_column: str

    @property
    def subject(self) -> str:
        """Both columns, for a person."""
        return (
            f"{self.left.configured}.{self.left_column} = "
            f"{self.right.configured}.{self.right_column}"
        )


@dataclass(frozen=True, slots=True)
class Case:
    """The facts, what the probes answered, and what the operator said."""

    facts: Facts
    pools: PoolsSpec
    evidence: Evidence
    state_schema: str

    @property
    def spec(self) -> CatalogueSpec:
        """What the tables are called."""
        return self.facts.spec


def places(facts: Facts) -> tuple[Place, Place, Place]:
    """Artworks, users, impressions."""
    spec = facts.spec
    artworks, users = spec.artworks, spec.users
    return (
        Place("artworks", artworks.table, facts.artworks, artworks_needs(spec), artworks.where),
        Place("users", users.table, facts.users, users_needs(spec), users.where),
        Place("impressions", spec.impressions.table, facts.impressions, impressions_needs(spec)),
    )


def found(facts: Facts) -> Iterator[tuple[Place, Relation]]:
    """The places whose table exists."""
    for place in places(facts):
        if place.relation is not None:
            yield place, place.relation


def moments(facts: Facts) -> Iterator[tuple[Relation, str, Column]]:
    """The columns that hold a moment, each with its setting."""
    spec = facts.spec
    settings = (
        (facts.artworks, "artworks.created_at", spec.artworks.created_at),
        (facts.users, "users.created_at", spec.users.created_at),
        (facts.impressions, "impressions.viewed_at", spec.impressions.viewed_at),
    )
    for relation, setting, name in settings:
        if relation is not None and name is not None and name in relation.columns:
            yield relation, f"catalog.{setting}", relation.columns[name]


def comparisons(facts: Facts) -> Iterator[Comparison]:
    """The joins that every count is made of, as far as their columns exist."""
    spec, artworks, users, impressions = (
        facts.spec,
        facts.artworks,
        facts.users,
        facts.impressions,
    )
    joins = (
        (impressions, spec.impressions.user, users, spec.users.id),
        (impressions, spec.impressions.artwork, artworks, spec.artworks.id),
        (artworks, spec.artworks.owner, users, spec.users.id),
    )
    for left, left_column, right, right_column in joins:
        if left is None or right is None or left_column is None:
            continue
        if left_column in left.columns and right_column in right.columns:
            yield Comparison(left, left_column, right, right_column)


def has_pair(facts: Facts) -> Relation | None:
    """The impressions, if both columns of the pair are there."""
    spec, impressions = facts.spec.impressions, facts.impressions
    if impressions is None or not {spec.user, spec.artwork} <= impressions.columns.keys():
        return None
    return impressions
