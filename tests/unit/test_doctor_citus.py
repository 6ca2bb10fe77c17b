"""What the doctor says of layouts on Citus: rows of pg_dist_partition in, findings out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import pytest

from checks.catalogue import Facts
from checks.citus.cluster import (
    LEDGER,
    Cluster,
    Distribution,
    DistributionMethod,
    Ledger,
    parse_distribution,
)
from checks.citus.forms import on_citus
from checks.doctor.findings import Blocks, Examination
from checks.doctor.input import Answer, DoctorInput, Evidence
from checks.doctor.rules import judge
from checks.relations import Engine, Index, Relation, engine_of
from checks.spec import CatalogueSpec, ImpressionsSpec, PoolsSpec
from tests.support.recorded_citus import recorded
from tests.unit.test_doctor import AROUND, FACTS, index

Row = Mapping[str, object]


RECORDED = {row["logicalrelid"]: row for row in recorded("catalogue_citus_table")}


def row(name: str, **changes: object) -> Row:
    """A recorded row as catalogue_citus_table returns it."""
    found = RECORDED[name]
    said = {key: found[key] for key in ("partmethod", "repmodel")}
    colocation, column = int(found["colocationid"]), found["distribution_column"] or None
    return {**said, "colocationid": colocation, "distribution_column": column, **changes}


BY_USER = row("t_hash")
BY_ARTWORK = row("t_hash_none", distribution_column="artwork_id")
BY_ID = row("t_hash", distribution_column="id")
BY_ID_ELSEWHERE = row("t_hash_u", distribution_column="id")
REFERENCE = row("t_ref")
LOCAL = row("t_auto")
ONE_SHARD = row("tenant_a.t")
APPENDED = row("t_append", distribution_column="viewed_at")
RANGES = row("t_range")
COORDINATOR = Cluster("13.2-1", 0)


def spread(relation: Relation | None, found: Row | None) -> Relation:
    assert relation is not None
    return relation if found is None else replace(relation, distribution=parse_distribution(found))


def examined(
    impressions: Row | None = BY_USER,
    users: Row | None = REFERENCE,
    artworks: Row | None = REFERENCE,
    *,
    ledger: Row | None = BY_USER,
    cluster: Cluster = COORDINATOR,
    spec: CatalogueSpec = FACTS.spec,
    more: tuple[Index, ...] = (),
    facts: Facts = FACTS,
    orphans: Mapping[str, Answer] = MappingProxyType({}),
) -> Examination:
    assert facts.impressions is not None
    keyed = replace(facts.impressions, indexes=facts.impressions.indexes + more)
    lying: Facts = replace(
        facts,
        spec=spec,
        impressions=spread(keyed, impressions),
        users=spread(facts.users, users),
        artworks=spread(facts.artworks, artworks),
        cluster=cluster,
    )
    lies = Ledger(True, None if ledger is None else parse_distribution(ledger))
    evidence = Evidence(AROUND, ledger=lies, orphans=orphans)
    case = DoctorInput(lying, PoolsSpec(), evidence, "conservator")
    return Examination(judge(case), lying.catalogue)


def codes(examination: Examination) -> list[str]:
    return [finding.code for finding in examination.findings]


def test_the_recommended_layout_has_nothing_to_mend() -> None:
    examination = examined()
    assert codes(examination) == ["citus_approximate"]
    assert examination.catalogue is not None
    assert examination.catalogue.engine is Engine.CITUS


def test_users_beside_their_impressions_are_as_good_as_everywhere() -> None:
    assert codes(examined(users=BY_ID)) == ["citus_approximate"]


def test_without_citus_nothing_is_said_of_it() -> None:
    catalogue = FACTS.catalogue
    assert catalogue is not None
    assert catalogue.engine is Engine.POSTGRESQL
    assert on_citus(catalogue).engine is Engine.CITUS


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (BY_USER, Distribution(DistributionMethod.HASH, "user_id", 2)),
        (REFERENCE, Distribution(DistributionMethod.REFERENCE, None, 1)),
        (LOCAL, Distribution(DistributionMethod.LOCAL)),
        (ONE_SHARD, Distribution(DistributionMethod.SINGLE, None, 7)),
        (APPENDED, Distribution(DistributionMethod.APPEND, "viewed_at")),
        (RANGES, Distribution(DistributionMethod.RANGE, "user_id")),
    ],
)
def test_a_row_of_the_partition_table_says_how_the_table_is_spread(
    found: Row, expected: Distribution
) -> None:
    assert parse_distribution(found) == expected


@pytest.mark.parametrize("found", [BY_ARTWORK, ONE_SHARD, APPENDED, RANGES])
def test_impressions_that_are_not_spread_by_user_are_counted_and_not_healed(found: Row) -> None:
    examination = examined(found)
    (finding,) = examination.blocking(Blocks.HEALING)
    assert finding.code == "citus_not_by_user"
    assert "hash shards by user_id" in finding.remedy
    assert not finding.statements
    assert examination.blocking(Blocks.COUNTING) == ()


@pytest.mark.parametrize(
    ("shape", "named"),
    [
        (ImpressionsSpec(where="kind = 'artwork'"), "catalog.impressions.where"),
        (ImpressionsSpec(counts="looked", set={"looked": "true"}), "catalog.impressions.counts"),
        (ImpressionsSpec(viewed_at=None, several=True), "catalog.impressions.several"),
    ],
)
def test_rows_that_their_pair_does_not_tell_are_counted_and_not_healed(
    shape: ImpressionsSpec, named: str
) -> None:
    examination = examined(spec=CatalogueSpec(impressions=shape))
    found = [one for one in examination.findings if one.code == "citus_rows_of_any_shape"]
    assert [(one.blocks, named in one.problem) for one in found] == [(Blocks.HEALING, True)]
    assert "citus_rows_of_any_shape" not in codes(examined())


def test_a_worker_is_refused() -> None:
    (finding,) = examined(cluster=Cluster("13.2-1", 3)).blocking(Blocks.COUNTING)
    assert finding.code == "citus_worker"
    assert "coordinator" in finding.remedy


@pytest.mark.parametrize("ledger", [None, LOCAL, REFERENCE, row("t_hash_v"), BY_ID])
def test_a_ledger_apart_from_the_impressions_keeps_from_healing(ledger: Row | None) -> None:
    (finding,) = examined(ledger=ledger).blocking(Blocks.HEALING)
    assert finding.code == "citus_ledger_apart"
    assert finding.subject == f"conservator.{LEDGER}"
    assert 'colocate_with => \'"public"."user_art_impressions"\'' in finding.remedy


@pytest.mark.parametrize("found", [None, LOCAL, BY_ID_ELSEWHERE, ONE_SHARD])
def test_tables_that_do_not_lie_beside_the_impressions_are_warned_about(found: Row | None) -> None:
    examination = examined(users=found, artworks=found)
    assert codes(examination) == ["citus_travels", "citus_travels", "citus_approximate"]
    assert "reference table" in examination.findings[0].remedy
    assert not any(finding.statements for finding in examination.findings)
    assert not examination.blocking()


@pytest.mark.parametrize("found", [LOCAL, REFERENCE])
def test_impressions_on_one_node_are_warned_about_and_healed(found: Row) -> None:
    examination = examined(found, ledger=None)
    assert codes(examination) == ["citus_not_spread"]


@pytest.mark.parametrize("found", [BY_ARTWORK, REFERENCE, LOCAL, ONE_SHARD, None])
def test_a_key_without_the_user_is_named_wherever_the_table_lies(found: Row | None) -> None:
    examination = examined(found, ledger=None, more=(PRIMARY,))
    (finding,) = [one for one in examination.findings if one.code == "citus_key_without_user"]
    assert "refuse to distribute" in finding.consequence
    assert "one ALTER TABLE each" in finding.remedy


@pytest.mark.parametrize(
    ("found", "way"), [(REFERENCE, "taken back first"), (LOCAL, "a local table")]
)
def test_the_move_of_a_table_that_citus_keeps_whole_is_told_by_what_it_is(
    found: Row, way: str
) -> None:
    (finding,) = examined(found, ledger=None).findings
    assert way in finding.remedy


def test_a_ledger_that_is_spread_for_nothing_is_warned_about() -> None:
    examination = examined(None, None, None, ledger=BY_USER)
    assert codes(examination) == ["citus_ledger_still_spread"]
    assert "undistribute_table('\"conservator\".backfilled_impression')" in (
        examination.findings[0].remedy
    )
    assert not examination.blocking()
    assert "citus_ledger_still_spread" not in codes(examined())


@pytest.mark.parametrize(
    ("defaults", "named"),
    [
        ({"wing": "artwork.wing"}, True),
        ({"wing": '"user".wing'}, True),
        ({"at": "viewed_at"}, True),
        ({"wing": "'east'"}, False),
    ],
)
def test_values_of_the_pair_are_counted_and_not_healed(
    defaults: dict[str, str], named: bool
) -> None:
    examination = examined(spec=CatalogueSpec(impressions=ImpressionsSpec(defaults=defaults)))
    found = [one for one in examination.findings if one.code == "citus_values_of_the_pair"]
    assert bool(found) is named
    assert all(one.blocks is Blocks.HEALING for one in found)


def test_a_node_that_does_not_answer_blocks_counting_and_says_so() -> None:
    told = "A node of the cluster does not answer."
    case = DoctorInput(FACTS, PoolsSpec(), Evidence(AROUND, lost_node=told), "conservator")
    examination = Examination(judge(case), FACTS.catalogue)
    (finding,) = examination.blocking(Blocks.COUNTING)
    assert (finding.code, finding.problem) == ("citus_node_lost", told)
    assert examination.lost_node == told
    assert examined().lost_node is None


@pytest.mark.parametrize(
    ("users", "told"),
    [(REFERENCE, True), (BY_ID, True), (None, False), (LOCAL, False), (BY_ID_ELSEWHERE, False)],
)
def test_a_missing_foreign_key_is_told_only_where_citus_has_one(
    users: Row | None, told: bool
) -> None:
    assert FACTS.impressions is not None
    without = replace(FACTS.impressions, foreign_keys=())
    examination = examined(users=users, facts=replace(FACTS, impressions=without))
    subjects = [one.subject for one in examination.findings if one.code == "foreign_key_missing"]
    assert ("user_art_impressions.user_id" in subjects) is told
    assert "user_art_impressions.artwork_id" in subjects


@pytest.mark.parametrize(
    ("cast", "users", "validates"),
    [
        ("character varying", BY_ID, False),
        ("uuid", BY_ID, True),
        ("character varying", REFERENCE, True),
        ("character varying", None, True),
    ],
)
def test_a_key_is_validated_where_citus_can_plan_its_join(
    cast: str, users: Row | None, validates: bool
) -> None:
    impressions = FACTS.impressions
    assert impressions is not None
    columns = dict(impressions.columns)
    columns["user_id"] = replace(columns["user_id"], cast=cast)
    keys = [replace(one, validated=False) for one in impressions.foreign_keys]
    late = replace(impressions, columns=columns, foreign_keys=tuple(keys))
    subject = "user_art_impressions.user_id = users.id"
    spread_by_user = None if users is None else BY_USER
    examination = examined(
        spread_by_user,
        users=users,
        facts=replace(FACTS, impressions=late),
        orphans={subject: Answer.NO},
    )
    (finding,) = [
        one
        for one in examination.findings
        if one.code == "foreign_key_not_valid" and one.subject.endswith("user_id")
    ]
    assert ("VALIDATE CONSTRAINT" in finding.statements) is validates
    assert ("without NOT VALID" in finding.remedy) is not validates


PRIMARY = index("id", primary=True, constraint="user_art_impressions_pkey")


def test_before_the_move_a_primary_key_without_the_user_is_named() -> None:
    examination = examined(None, None, None, ledger=None, more=(PRIMARY,))
    (finding,) = examination.findings
    assert finding.code == "citus_key_without_user"
    assert '("user_id", "id")' in finding.remedy
    assert not finding.statements


def test_a_key_that_holds_within_a_shard_only_is_warned_about() -> None:
    assert codes(examined(more=(PRIMARY,))) == ["citus_key_without_user", "citus_approximate"]


def test_one_table_that_citus_plans_is_enough_for_its_forms() -> None:
    assert FACTS.users is not None
    plain = FACTS.users
    assert engine_of(plain, plain) is Engine.POSTGRESQL
    assert engine_of(plain, spread(plain, REFERENCE)) is Engine.CITUS
