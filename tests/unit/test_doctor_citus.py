"""What the doctor says of layouts on Citus: rows of pg_dist_partition in, findings out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

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
from checks.doctor.input import DoctorInput, Evidence
from checks.doctor.rules import judge
from checks.relations import Engine, Index, Relation, engine_of
from checks.spec import CatalogueSpec, ImpressionsSpec, PoolsSpec
from tests.unit.test_doctor import AROUND, FACTS, index

Row = Mapping[str, object]


def row(method: str, model: str, colocation: int, column: str | None = None) -> Row:
    """A row as catalogue_citus_table returns it."""
    return {
        "partmethod": method,
        "repmodel": model,
        "colocationid": colocation,
        "distribution_column": column,
    }


# As Citus 12 and 13 write them.
BY_USER = row("h", "s", 4, "user_id")
BY_ARTWORK = row("h", "s", 5, "artwork_id")
BY_ID = row("h", "s", 4, "id")
BY_ID_ELSEWHERE = row("h", "s", 9, "id")
REFERENCE = row("n", "t", 2)
LOCAL = row("n", "s", 0)
ONE_SHARD = row("n", "s", 7)
APPENDED = row("a", "c", 0, "viewed_at")
RANGES = row("r", "c", 0, "user_id")
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
) -> Examination:
    assert FACTS.impressions is not None
    keyed = replace(FACTS.impressions, indexes=FACTS.impressions.indexes + more)
    facts: Facts = replace(
        FACTS,
        spec=spec,
        impressions=spread(keyed, impressions),
        users=spread(FACTS.users, users),
        artworks=spread(FACTS.artworks, artworks),
        cluster=cluster,
    )
    lies = Ledger(True, None if ledger is None else parse_distribution(ledger))
    case = DoctorInput(facts, PoolsSpec(), Evidence(AROUND, ledger=lies), "conservator")
    return Examination(judge(case), facts.catalogue)


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
        (BY_USER, Distribution(DistributionMethod.HASH, "user_id", 4)),
        (REFERENCE, Distribution(DistributionMethod.REFERENCE, None, 2)),
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


@pytest.mark.parametrize("ledger", [None, LOCAL, REFERENCE, row("h", "s", 8, "user_id"), BY_ID])
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
