"""Which foreign keys Citus has, and validates."""

from __future__ import annotations

from checks.citus.cluster import DistributionMethod
from checks.relations import Column, Relation

_VARCHAR = "character varying"


def may_refer(relation: Relation, target: Relation, target_id: str) -> bool:
    """Whether a foreign key from `relation` to `target` is possible: where it is spread, the other
    is whole on every node, or lies beside it by its own id."""
    here, there = relation.distribution, target.distribution
    if here is None or here.method is DistributionMethod.LOCAL:
        return True
    if there is None:
        return False
    if there.method is DistributionMethod.REFERENCE:
        return True
    return there.is_hash_by(target_id) and there.colocation == here.colocation


def may_validate(relation: Relation, column: Column, target: Relation) -> bool:
    """Whether VALIDATE CONSTRAINT is taken: between two tables in shards Citus plans a join for it,
    and sees no such join where the ids, of type varchar, are compared as text."""
    spread = [one.distribution for one in (relation, target)]
    in_shards = all(one is not None and one.method is DistributionMethod.HASH for one in spread)
    return not (in_shards and column.cast == _VARCHAR)
