"""Which keys Citus has, and validates: the doctor's rule about unique ones, and what its rules
about foreign ones ask."""

from __future__ import annotations

from collections.abc import Iterator

from checks.citus.cluster import DistributionMethod
from checks.doctor.ddl import columns, index_of
from checks.doctor.findings import Finding, advice, warning
from checks.doctor.input import DoctorInput, about, impressions_with_pair
from checks.relations import Column, Index, Relation

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


@about(impressions_with_pair)
def keys_would_spread(given: DoctorInput, impressions: Relation) -> Iterator[Finding]:
    """Unique keys without the user are refused by Citus, or hold within one shard only."""
    user = given.spec.impressions.user
    if given.facts.cluster is None:
        return
    for index in impressions.indexes:
        if not index.unique or user in index.columns:
            continue
        if impressions.is_hashed_by(user):
            yield warning(
                "citus_key_without_user",
                index_of(impressions, index.name),
                problem=f"This unique key does not contain {user}, by which the table is spread.",
                consequence="It holds within each shard only: the same key may be in two of them.",
                remedy=_key_with_user(index, user),
            )
        else:
            yield advice(
                "citus_key_without_user",
                index_of(impressions, index.name),
                problem=f"This unique key does not contain {user}.",
                consequence=f"Citus will refuse to distribute the table by {user} with it.",
                remedy=_key_with_user(index, user),
            )


def _key_with_user(index: Index, user: str) -> str:
    key = columns(user, *(name for name in index.columns if name is not None))
    return (
        f"A key on {key} instead would do, dropped and added by one ALTER TABLE each (Citus takes "
        "no ADD CONSTRAINT beside something else), and refuse foreign keys to the old one, and ON "
        "CONFLICT on it: the application's owner decides."
    )
