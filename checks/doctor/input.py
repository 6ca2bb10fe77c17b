"""All that the rules look at: facts, answers that only asking gives, what the operator said.

The few questions that several rules ask of the facts stand below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from functools import wraps

from checks.catalogue import Facts
from checks.citus.cluster import Ledger
from checks.doctor.findings import Finding
from checks.doctor.made_rows import Made
from checks.doctor.own_values import OwnValue
from checks.doctor.pair_evidence import (
    Crossing,
    Named,
    NeverSeen,
    OlderViews,
    SharedColumn,
    ViewedBefore,
)
from checks.doctor.row_tallies import RowEvidence
from checks.errors import Refusal
from checks.relations import Column, Relation
from checks.sequences import DrawnSequence
from checks.spec import CatalogueSpec, PoolsSpec
from checks.state_columns import StateColumn

WITH_IDS = frozenset({"artworks", "users"})
"""The roles whose rows have ids of their own."""


class Answer(StrEnum):
    """What a probe found out about rows."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"
    """Not asked, refused, or out of patience."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The server around the tables, and what the role may do there."""

    database: str
    in_recovery: bool
    read_only: bool
    """default_transaction_read_only."""
    state_schema_exists: bool
    can_use_state_schema: bool
    can_create_schema: bool
    encoding: str = "UTF8"


@dataclass(frozen=True, slots=True)
class Clock:
    """A TimeZone setting, and whether its clock shows what catalog.timezone's shows all year."""

    source: str
    zone: str
    agrees: bool


@dataclass(frozen=True, slots=True)
class Rows:
    """What the rows of a key column say."""

    duplicates: Answer = Answer.UNKNOWN
    nulls: Answer = Answer.UNKNOWN
    below_zero: Answer = Answer.NO
    """Ids below 0 beside those above: as many apps number what is nobody's and nothing's."""
    not_utf8: Answer = Answer.NO
    """Bytes that are no UTF-8, which only a database without an encoding lets in."""


@dataclass(frozen=True, slots=True)
class Growth:
    """What ageing is made of."""

    recent_artworks: int
    """Created in the last `days`."""
    days: int
    users: int
    """Users that `catalog.users.where` admits."""
    tracked_users: int | None
    """How many of them have an impression, by the planner's statistics; None when unknown."""


class MomentForm(StrEnum):
    """What numbers or texts may be as moments; by the names in the SQL files."""

    NANOSECONDS = "nanoseconds"
    MICROSECONDS = "microseconds"
    MILLISECONDS = "milliseconds"
    SECONDS = "seconds"
    MINUTES = "minutes"
    HOURS = "hours"
    DAYS = "days"
    DIGITS = "digits"
    """20260131."""
    DATE = "date"
    """2026-01-31."""
    LOCAL = "local"
    """2026-01-31 12:00:00."""
    ZONED = "zoned"
    """2026-01-31T12:00:00Z."""


@dataclass(frozen=True, slots=True)
class HeldMoments:
    """What numbers or texts are as moments."""

    form: MomentForm | None
    """None where most are not of one form."""
    values: int
    """Those of the form, or all where there is none."""
    zeros: int
    others: int
    newest: date | None


@dataclass(frozen=True, slots=True)
class PairEvidence:
    """What the impressions say about who is paired with what."""

    sampled: bool = False
    """Only a part of the impressions was looked at."""
    crossings: Mapping[SharedColumn, Crossing | Refusal] = field(default_factory=dict)
    viewed_before: Mapping[str, ViewedBefore | Refusal] = field(default_factory=dict)
    """By column of the users."""
    joined: Column | None = None
    """When a user came, in the users table."""
    never_seen: NeverSeen | None = None
    """Only where everybody may see everything, and there was an answer in time."""
    older_views: OlderViews | None = None
    """By the first column that says when a user came, where none is configured."""
    named: Mapping[str, Named] = field(default_factory=dict)
    """By role, `artworks` or `users`; only where the catalogue does not prove all ids known."""


@dataclass(frozen=True, slots=True)
class Vanished:
    """What the tallies say of users who lost much at once. Counts but users are impressions."""

    after: datetime | None
    until: datetime
    """The tallies between which it happened."""
    users: int
    before: int
    """What they had."""
    missing: int
    """What they lost."""
    missing_of_others: int
    """What all other users lost between the same tallies."""
    still_missing: int
    """What has not come back since."""
    everybody: int
    """Users that the tallies know."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything probed. What is absent was fine, or could not be asked."""

    surroundings: Surroundings
    relations: tuple[tuple[str, str], ...] = ()
    """(schema, name) of every relation there is; only read when a configured one is missing."""
    comparisons: Mapping[str, Refusal] = field(default_factory=dict)
    """By `KeyComparison.subject`: why the two columns can't be compared."""
    filters: Mapping[str, Refusal] = field(default_factory=dict)
    """By setting: why the operator's filter doesn't run."""
    values: Mapping[str, Refusal] = field(default_factory=dict)
    """By setting, of `set` and `defaults`: why the operator's expression doesn't fill its
    column."""
    made_rows: Mapping[str, Made | str] = field(default_factory=dict)
    """By setting: how the rows that it makes are judged, or why that can't be told."""
    hidden_by: str | None = None
    """What the impressions' view asks of its rows, and no row satisfies that healing makes."""
    own_values: Mapping[str, tuple[OwnValue, ...]] = field(default_factory=dict)
    """By column of the impressions that must be given: what of the pair's rows may be its value."""
    duplicate_pairs: Answer = Answer.UNKNOWN
    duplicate_keys: Answer = Answer.UNKNOWN
    """Whether rows have the columns of `impressions.key` in common; only where it is set."""
    ids: Mapping[str, Rows] = field(default_factory=dict)
    """By role, `artworks` or `users`; only where the catalogue proves nothing."""
    orphans: Mapping[str, Answer] = field(default_factory=dict)
    """By `KeyComparison.subject`, where a key was never validated: does one lead nowhere?"""
    held: Mapping[str, HeldMoments] = field(default_factory=dict)
    """By setting, where it names no moment: what the column holds."""
    unreadable: Mapping[str, Refusal] = field(default_factory=dict)
    """By setting: what an expression for a moment can't read of the rows."""
    random_key: str | None = None
    """The impressions' primary key, where its values are random uuids to which nothing refers."""
    rows: RowEvidence = field(default_factory=RowEvidence)
    """What rows say of themselves: that they are views, that they are in use."""
    sequences: tuple[DrawnSequence, ...] = ()
    """What new impressions draw from."""
    vanished: tuple[Vanished, ...] = ()
    """The newest first; empty where there are no tallies, or no answer in time."""
    clocks: tuple[Clock, ...] = ()
    timezone: Refusal | None = None
    """Why the server does not know catalog.timezone."""
    growth: Growth | None = None
    ledger: Ledger | None = None
    """None where there is no Citus."""
    lost_node: str | None = None
    """What the coordinator says of a node that went away; nothing was asked after that."""
    pairs: PairEvidence = field(default_factory=PairEvidence)
    state_columns: tuple[StateColumn, ...] = ()
    """Our own columns that hold ids and moments of the app."""


@dataclass(frozen=True, slots=True)
class KeyComparison:
    """Two columns that the statements compare with `=`."""

    left: Relation
    left_column: Column
    right: Relation
    right_column: Column

    @property
    def subject(self) -> str:
        """Both columns, for a person."""
        return (
            f"{self.left.configured}.{self.left_column.name} = "
            f"{self.right.configured}.{self.right_column.name}"
        )


@dataclass(frozen=True, slots=True)
class DoctorInput:
    """The facts, what the probes answered, and what the operator said."""

    facts: Facts
    pools: PoolsSpec
    evidence: Evidence
    state_schema: str

    @property
    def spec(self) -> CatalogueSpec:
        """What the tables are called."""
        return self.facts.spec


Rule = Callable[[DoctorInput], Iterator[Finding]]
RelationRule = Callable[[DoctorInput, Relation], Iterator[Finding]]


def about(find: Callable[[Facts], Relation | None]) -> Callable[[RelationRule], Rule]:
    """Makes a rule of one about a relation: without the relation it finds nothing."""

    def decorate(rule: RelationRule) -> Rule:
        @wraps(rule)
        def apply(given: DoctorInput) -> Iterator[Finding]:
            relation = find(given.facts)
            return iter(()) if relation is None else rule(given, relation)

        return apply

    return decorate


def moment_columns(facts: Facts) -> Iterator[tuple[Relation, str, Column]]:
    """What holds a moment, each with its setting: columns, and expressions whose type is known."""
    for role, relation in facts.found:
        for key in ("created_at", "viewed_at", "since"):
            column = relation.columns.get(role.columns.get(key) or "", relation.moments.get(key))
            if column is not None:
                yield relation, role.setting(key), column


def moment_subject(relation: Relation, column: Column) -> str:
    """What a finding about a moment is about: the column, or the setting of the expression."""
    if column in relation.moments.values():
        return column.name
    return f"{relation.configured}.{column.name}"


def key_comparisons(facts: Facts) -> Iterator[KeyComparison]:
    """The joins that every count is made of, as far as their columns exist."""
    spec, artworks, users = facts.spec, facts.artworks, facts.users
    joins = (
        (facts.impressions, spec.impressions.user, users, spec.users.id),
        (facts.impressions, spec.impressions.artwork, artworks, spec.artworks.id),
        (artworks, spec.artworks.owner, users, spec.users.id),
        *((users, one.user, artworks, one.artwork) for one in spec.pairs.same),
        *_listed(facts),
    )
    for left, left_name, right, right_name in joins:
        if left is None or right is None or left_name is None:
            continue
        if left_name in left.columns and right_name in right.columns:
            columns = left.columns[left_name], right.columns[right_name]
            yield KeyComparison(left, columns[0], right, columns[1])


def _listed(facts: Facts) -> Iterator[tuple[Relation | None, str, Relation | None, str]]:
    spec, listed = facts.spec, facts.spec.pairs.through
    if listed is not None:
        yield facts.through, listed.user, facts.users, spec.users.id
        yield facts.through, listed.artwork, facts.artworks, spec.artworks.id


def any_impressions(facts: Facts) -> Relation | None:
    """The impressions, if they are there."""
    return facts.impressions


def impressions_with_pair(facts: Facts) -> Relation | None:
    """The impressions, if both columns of the pair are there."""
    spec, found = facts.spec.impressions, facts.impressions
    if found is None or not {spec.user, spec.artwork} <= found.columns.keys():
        return None
    return found


def impressions_table(facts: Facts) -> Relation | None:
    """The impressions, if rows can be written there, with both columns of the pair."""
    found = impressions_with_pair(facts)
    return found if found is not None and found.takes_writes else None
