"""The doctor's rules about layouts on Citus: which work, and what mends the others."""

from __future__ import annotations

from collections.abc import Iterator

from checks.catalogue import Facts
from checks.citus.cluster import LEDGER, Distribution, DistributionMethod
from checks.doctor.ddl import quoted, table
from checks.doctor.findings import NODE_LOST, Finding, advice, error, healing_error, warning
from checks.doctor.input import DoctorInput, about, impressions_with_pair
from checks.made_rows import is_of_pair
from checks.relations import Engine, Relation, engine_of
from checks.spec import TableRole

_ONE_NODE = frozenset({DistributionMethod.REFERENCE, DistributionMethod.LOCAL})
_HARMLESS = "Nothing need be done."
_MOVE = (
    "To move a table rewrites and locks it, and Citus then refuses some statements: the "
    "application's owner decides (docs/scaling.md has the steps, {})."
)


def _spread_by_user(facts: Facts) -> Relation | None:
    """The impressions, where they lie in hash shards by user."""
    impressions = impressions_with_pair(facts)
    if impressions is None or not impressions.is_hashed_by(facts.spec.impressions.user):
        return None
    return impressions


def connected_to_the_coordinator(given: DoctorInput) -> Iterator[Finding]:
    """Tables that are not spread exist on the coordinator only, ours among them."""
    cluster = given.facts.cluster
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
        remedy="Point database.url (and database.read_url) at the coordinator.",
    )


def every_node_answers(given: DoctorInput) -> Iterator[Finding]:
    """What lies on a node that is away can't be read, and nothing that was asked says anything."""
    if given.evidence.lost_node is None:
        return
    yield error(
        NODE_LOST,
        "the cluster",
        problem=given.evidence.lost_node,
        consequence="Nothing can be counted or healed until it does; no row could be asked.",
        remedy=(
            "Start it, or see to it that the coordinator reaches it: SELECT * FROM pg_dist_node "
            "lists all nodes. Nothing is lost, and a run goes on by itself."
        ),
    )


@about(impressions_with_pair)
def impressions_are_spread_by_user(given: DoctorInput, impressions: Relation) -> Iterator[Finding]:
    """A batch, its ledger and its uniqueness hold within a shard only if users are whole there."""
    lies, user = impressions.distribution, given.spec.impressions.user
    if lies is None:
        return
    if lies.method in _ONE_NODE:
        yield warning(
            "citus_not_spread",
            impressions.configured,
            problem=f"It is {_words(lies)}.",
            consequence=(
                "Each impression is written on every node."
                if lies.method is DistributionMethod.REFERENCE
                else "Nothing is gained by the other nodes."
            ),
            remedy=f"{_HARMLESS} {_move(lies)}",
        )
    elif not lies.is_hash_by(user):
        yield healing_error(
            "citus_not_by_user",
            impressions.configured,
            problem=f"It is {_words(lies)}, not in hash shards by {user}.",
            consequence=(
                "A user's impressions and the ledger of what was backfilled would lie in different "
                "shards, and neither a batch nor an undo could be one transaction of one shard."
            ),
            remedy=f"It can be counted. Healing needs hash shards by {user}. {_move(lies)}",
        )


@about(impressions_with_pair)
def rows_are_known_by_their_pair(given: DoctorInput, impressions: Relation) -> Iterator[Finding]:
    """What writes and takes back rows of any other shape has no form that Citus takes."""
    spec = given.spec.impressions
    spread = engine_of(*(relation for _, relation in given.facts.found)) is Engine.CITUS
    if not spread or spec.is_plain:
        return
    shaping = {
        "where": spec.where is not None,
        "counts": spec.counts is not None,
        "several": spec.several,
        "viewed_at": not isinstance(spec.viewed_at, str),
    }
    keys = ", ".join(f"catalog.impressions.{key}" for key, is_set in shaping.items() if is_set)
    yield healing_error(
        "citus_rows_of_any_shape",
        impressions.configured,
        problem=f"Citus plans its statements, and pair and time do not tell its rows: {keys}.",
        consequence=(
            "It can be counted. Healing and undo would have to look rows up by their whole content "
            "in statements that Citus does not take."
        ),
        remedy="Heal where one row a pair with a column for its time is all that there is.",
    )


@about(impressions_with_pair)
def values_are_of_no_pair(given: DoctorInput, impressions: Relation) -> Iterator[Finding]:
    """A value that is computed for each pair is a subselect in the list of what is inserted."""
    if engine_of(*(relation for _, relation in given.facts.found)) is not Engine.CITUS:
        return
    spec = given.spec.impressions
    named = [setting for setting, (_, text) in spec.expressions.items() if is_of_pair(text)]
    if named:
        yield healing_error(
            "citus_values_of_the_pair",
            impressions.configured,
            problem=(
                "Citus plans its statements, and these are about the pair's own rows or the moment "
                f"that is written: {', '.join(named)}."
            ),
            consequence="It can be counted. Citus takes no INSERT that looks each value up.",
            remedy="Heal where constants, or expressions that name neither, will do.",
        )


@about(_spread_by_user)
def ledger_lies_beside_the_impressions(
    given: DoctorInput, impressions: Relation
) -> Iterator[Finding]:
    """What was backfilled is committed together with it only on the same node."""
    ledger = given.evidence.ledger
    if ledger is None or not ledger.present:
        return
    lies = ledger.distribution
    if lies is not None and lies.is_hash_by("user_id") and _beside(lies, impressions):
        return
    user = given.spec.impressions.user
    yield healing_error(
        "citus_ledger_apart",
        f"{given.state_schema}.{LEDGER}",
        problem=f"The ledger is {_words(lies)}, and {impressions.configured} is by {user}.",
        consequence=(
            "Impressions and their ledger rows would not be committed by the same node, and an "
            "undo could not find what a batch wrote if one of them is lost."
        ),
        remedy=(
            "As the owner of the tables, with the service stopped: conservator init, or\n"
            + _spread_ledger(given.state_schema, impressions, lies)
        ),
    )


@about(impressions_with_pair)
def ledger_is_spread_for_nothing(given: DoctorInput, impressions: Relation) -> Iterator[Finding]:
    """The impressions are one table again, and their ledger still lies on the nodes."""
    ledger = given.evidence.ledger
    lies = None if ledger is None else ledger.distribution
    if lies is None or _spread_by_user(given.facts) is not None:
        return
    yield warning(
        "citus_ledger_still_spread",
        f"{given.state_schema}.{LEDGER}",
        problem=f"The ledger is {_words(lies)}, and {impressions.configured} is not.",
        consequence=(
            "Each batch is committed on several nodes for its ledger alone, and fails while one of "
            "them is away."
        ),
        remedy=(
            "As the owner of the tables, with the service stopped: conservator init, or\n"
            f"{_gather_ledger(given.state_schema)}"
        ),
    )


@about(_spread_by_user)
def others_join_everywhere(given: DoctorInput, impressions: Relation) -> Iterator[Finding]:
    """Users and artworks that are not on every node travel there with each count."""
    for role, relation in given.facts.found:
        if role.key == "impressions" or _joins_everywhere(role, relation, impressions):
            continue
        lies = relation.distribution
        yield warning(
            "citus_travels",
            relation.configured,
            problem=f"It is {_words(lies)}, so its rows don't lie beside the impressions.",
            consequence=(
                f"Every count sends the {role.key} through the coordinator to all nodes, and "
                "stops working at citus.max_intermediate_result_size (1 GB). No foreign key from "
                "the impressions to it is possible."
            ),
            remedy=f"{_HARMLESS} As a reference table it would be on every node. {_move(lies)}",
        )


@about(_spread_by_user)
def counts_are_approximate(given: DoctorInput, impressions: Relation) -> Iterator[Finding]:
    """There is no snapshot over several nodes."""
    yield advice(
        "citus_approximate",
        impressions.configured,
        problem="Citus has no snapshot over several nodes.",
        consequence=(
            "A census taken while the app writes is approximate: a view may be counted on one node "
            "and its artwork's other views not yet on another. Healing judges each pair anew, so "
            "nothing wrong is written, and a run counts twice before it says that it is done."
        ),
        remedy=_HARMLESS,
    )


def _beside(lies: Distribution, impressions: Relation) -> bool:
    beside = impressions.distribution
    return beside is not None and lies.colocation == beside.colocation


def _joins_everywhere(role: TableRole, relation: Relation, impressions: Relation) -> bool:
    """Whether its rows are on every node, or each user's where the user's impressions are."""
    lies = relation.distribution
    if lies is None:
        return False
    if lies.method is DistributionMethod.REFERENCE:
        return True
    return role.key == "users" and lies.is_hash_by(role.ids[0]) and _beside(lies, impressions)


def _move(lies: Distribution | None) -> str:
    """By which of the ways in docs/scaling.md: Citus takes back no table that a foreign key of a
    reference table has made its own, and distributes it as it is."""
    taken_back = lies is not None and lies.method is not DistributionMethod.LOCAL
    return _MOVE.format(
        "for a table that has to be taken back first" if taken_back else "for a local table"
    )


def _words(lies: Distribution | None) -> str:
    if lies is None:
        return "a plain table of the coordinator"
    return {
        DistributionMethod.HASH: (
            f"in hash shards by {lies.column} (colocation group {lies.colocation})"
        ),
        DistributionMethod.REFERENCE: "a reference table, whole on every node",
        DistributionMethod.LOCAL: "a local table of the coordinator",
        DistributionMethod.SINGLE: "whole on one node, as one shard (schema-based sharding)",
        DistributionMethod.RANGE: f"in ranges of {lies.column}",
        DistributionMethod.APPEND: f"in shards that rows are appended to, by {lies.column}",
    }[lies.method]


def _literal(relation: Relation) -> str:
    return "'" + table(relation).replace("'", "''") + "'"


def _gather_ledger(schema: str) -> str:
    return f"SELECT undistribute_table('{quoted(schema)}.{LEDGER}');"


def _spread_ledger(schema: str, impressions: Relation, lies: Distribution | None) -> str:
    ledger = f"'{quoted(schema)}.{LEDGER}'"
    undo = "" if lies is None else f"{_gather_ledger(schema)}\n"
    return (
        f"{undo}SELECT create_distributed_table({ledger}, 'user_id', "
        f"colocate_with => {_literal(impressions)});"
    )
