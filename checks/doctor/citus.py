"""Tables that Citus spreads over several servers: which layouts work, and what mends the others."""

from __future__ import annotations

from collections.abc import Iterator

from checks.cluster import is_hashed_by
from checks.doctor.case import Case, found, has_pair
from checks.doctor.findings import Finding, advice, error, healing_error, warning
from checks.doctor.naming import columns, index_of, quoted, table
from checks.relations import Distribution, Index, Relation, Spread

LEDGER = "backfilled_impression"
_ONE_NODE = frozenset({Spread.REFERENCE, Spread.LOCAL})


def connected_to_the_coordinator(case: Case) -> Iterator[Finding]:
    """Tables that are not spread exist on the coordinator only, ours among them."""
    cluster = case.facts.cluster
    if cluster is None or cluster.is_coordinator:
        return
    yield error(
        "citus_worker",
        "database.url",
        problem=f"This is a worker of the Citus cluster (group {cluster.group}).",
        consequence=(
            "Here local tables, the service's own among them, are missing or others, and nothing "
            "can be created."
        ),
        remedy="-- point database.url (and database.read_url) at the coordinator",
    )


def impressions_are_spread_by_user(case: Case) -> Iterator[Finding]:
    """A batch, its ledger and its uniqueness hold within a shard only if users are whole there."""
    impressions = has_pair(case.facts)
    if impressions is None or impressions.distribution is None:
        return
    user, spread = case.spec.impressions.user, impressions.distribution
    if is_hashed_by(impressions, user):
        return
    if spread.spread in _ONE_NODE:
        yield _not_spread(impressions, user, spread)
        return
    yield healing_error(
        "citus_not_by_user",
        impressions.configured,
        problem=f"It is {_words(spread)}, not in hash shards by {user}.",
        consequence=(
            "A user's impressions and the ledger of what was backfilled would lie in different "
            "shards, and neither a batch nor an undo could be one transaction of one shard."
        ),
        remedy=_respread(impressions, user, spread),
    )


def ledger_lies_beside_the_impressions(case: Case) -> Iterator[Finding]:
    """What was backfilled is committed together with it only on the same node."""
    impressions, ledger = has_pair(case.facts), case.evidence.ledger
    user = case.spec.impressions.user
    if impressions is None or ledger is None or not ledger.present:
        return
    if not is_hashed_by(impressions, user):
        return
    assert impressions.distribution is not None
    lies = ledger.distribution
    if (
        lies is not None
        and lies.spread is Spread.HASH
        and lies.column == "user_id"
        and lies.colocation == impressions.distribution.colocation
    ):
        return
    yield healing_error(
        "citus_ledger_apart",
        f"{case.state_schema}.{LEDGER}",
        problem=f"The ledger is {_words(lies)}, and {impressions.configured} is by {user}.",
        consequence=(
            "Impressions and their ledger rows would not be committed by the same node, and an "
            "undo could not find what a batch wrote if one of them is lost."
        ),
        remedy=(
            "-- as the owner of the tables, with the service stopped: conservator init\n"
            + _spread_ledger(case.state_schema, impressions, lies)
        ),
    )


def others_join_everywhere(case: Case) -> Iterator[Finding]:
    """Users and artworks that are not on every node travel there with each count."""
    impressions = has_pair(case.facts)
    if impressions is None or not is_hashed_by(impressions, case.spec.impressions.user):
        return
    assert impressions.distribution is not None
    for place, relation in found(case.facts):
        if place.role == "impressions":
            continue
        spread = relation.distribution
        beside = (
            place.role == "users"
            and is_hashed_by(relation, case.spec.users.id)
            and spread is not None
            and spread.colocation == impressions.distribution.colocation
        )
        if beside or (spread is not None and spread.spread is Spread.REFERENCE):
            continue
        yield warning(
            "citus_travels",
            relation.configured,
            problem=f"It is {_words(spread)}, so its rows don't lie beside the impressions.",
            consequence=(
                f"Every count sends the {place.role} through the coordinator to all nodes, and "
                "stops working at citus.max_intermediate_result_size (1 GB). No foreign key from "
                "the impressions to it is possible."
            ),
            remedy=_everywhere(relation, spread),
        )


def keys_would_spread(case: Case) -> Iterator[Finding]:
    """Unique keys without the user are refused by Citus, or hold within one shard only."""
    impressions = has_pair(case.facts)
    if impressions is None or case.facts.cluster is None:
        return
    user = case.spec.impressions.user
    for index in impressions.indexes:
        if not index.unique or user in index.columns:
            continue
        if is_hashed_by(impressions, user):
            yield warning(
                "citus_key_without_user",
                index_of(impressions, index.name),
                problem=f"This unique key does not contain {user}, by which the table is spread.",
                consequence="It holds within each shard only: the same key may be in two of them.",
                remedy=_key_with_user(impressions, index, user),
            )
        elif impressions.distribution is None:
            yield advice(
                "citus_key_without_user",
                index_of(impressions, index.name),
                problem=f"This unique key does not contain {user}.",
                consequence=f"Citus will refuse to distribute the table by {user} with it.",
                remedy=_key_with_user(impressions, index, user),
            )


def counts_are_approximate(case: Case) -> Iterator[Finding]:
    """There is no snapshot over several nodes."""
    impressions = has_pair(case.facts)
    if impressions is None or not is_hashed_by(impressions, case.spec.impressions.user):
        return
    yield advice(
        "citus_approximate",
        impressions.configured,
        problem="Citus has no snapshot over several nodes.",
        consequence=(
            "A census taken while the app writes is approximate: a view may be counted on one node "
            "and its artwork's other views not yet on another. Healing judges each pair anew, so "
            "nothing wrong is written, and a run counts twice before it says that it is done."
        ),
        remedy="-- nothing",
    )


def _words(spread: Distribution | None) -> str:
    if spread is None:
        return "a plain table of the coordinator"
    if spread.spread is Spread.HASH:
        return f"in hash shards by {spread.column} (colocation group {spread.colocation})"
    return {
        Spread.REFERENCE: "a reference table, whole on every node",
        Spread.LOCAL: "a local table of the coordinator",
        Spread.SINGLE: "whole on one node, as one shard (schema-based sharding)",
        Spread.RANGE: f"in ranges of {spread.column}",
        Spread.APPEND: f"in shards that rows are appended to, by {spread.column}",
    }[spread.spread]


def _name(relation: Relation) -> str:
    return "'" + table(relation).replace("'", "''") + "'"


def _respread(relation: Relation, column: str, spread: Distribution) -> str:
    if spread.spread is Spread.HASH:
        return (
            f"SELECT alter_distributed_table({_name(relation)}, "
            f"distribution_column := '{column}');  -- rewrites the table, and locks it meanwhile"
        )
    return (
        f"SELECT undistribute_table({_name(relation)});\n"
        f"SELECT create_distributed_table({_name(relation)}, '{column}');"
        "  -- rewrites the table, and locks it meanwhile"
    )


def _not_spread(impressions: Relation, user: str, spread: Distribution) -> Finding:
    return warning(
        "citus_not_spread",
        impressions.configured,
        problem=f"It is {_words(spread)}.",
        consequence=(
            "Each impression is written on every node."
            if spread.spread is Spread.REFERENCE
            else "Nothing is gained by the other nodes."
        ),
        remedy=_respread(impressions, user, spread),
    )


def _spread_ledger(schema: str, impressions: Relation, lies: Distribution | None) -> str:
    ledger = f"'{quoted(schema)}.{LEDGER}'"
    undo = "" if lies is None else f"SELECT undistribute_table({ledger});\n"
    return (
        f"{undo}SELECT create_distributed_table({ledger}, 'user_id', "
        f"colocate_with => {_name(impressions)});"
    )


def _everywhere(relation: Relation, spread: Distribution | None) -> str:
    undo = (
        ""
        if spread is None or spread.spread is Spread.LOCAL
        else f"SELECT undistribute_table({_name(relation)});\n"
    )
    return f"{undo}SELECT create_reference_table({_name(relation)});"


def _key_with_user(impressions: Relation, index: Index, user: str) -> str:
    others = [name for name in index.columns if name is not None]
    key = columns(user, *others)
    if index.constraint is None:
        return (
            f"DROP INDEX {index_of(impressions, index.name)};\n"
            f"CREATE UNIQUE INDEX ON {table(impressions)} {key};"
        )
    kind = "PRIMARY KEY" if index.primary else "UNIQUE"
    return (
        f"ALTER TABLE {table(impressions)} DROP CONSTRAINT {quoted(index.constraint)}, "
        f"ADD {kind} {key};"
    )
