"""Each planted fault is found by its check and by no other, in every schema that can hold it."""

from __future__ import annotations

import pytest

from checks.judgement import Measurement
from checks.spec import Cutoffs, PoolsSpec
from tests.support.galleries import Gallery
from tests.support.open_schema import OpenSchema, run
from tests.support.planted_faults import FAULTS, Fault, Suite, intact
from tests.support.schema_matrix import APP_SCHEMAS
from tests.support.views import set_viewed


def suite_for(opened: OpenSchema) -> Suite:
    schema = opened.schema
    unique = {"duplicate_impressions"} if schema.strict else set()
    tied = schema.strict and not schema.orphans
    unasked = {"orphan_impressions"} if tied or not schema.orphans_shown else set()
    return Suite(
        opened.catalogue,
        PoolsSpec(),
        query=f"SELECT count(*) FROM ({schema.people}) AS person",
        limit=3,
        skipped=frozenset(unique | unasked),
    )


async def measured(
    opened: OpenSchema, gallery: Gallery, viewed: int | None = None
) -> dict[str, Measurement]:
    async with opened.holding(gallery) as connection:
        if viewed is not None:
            pair = (opened.schema.key(0), opened.schema.key(0))
            await set_viewed(connection, opened.catalogue, {pair: viewed})
        await run(connection, "SET LOCAL transaction_read_only = on")
        cutoffs = Cutoffs.at(gallery.now, gallery.pools)
        return await suite_for(opened).measure(connection, cutoffs)


@pytest.mark.parametrize("opened", APP_SCHEMAS, ids=lambda schema: schema.name, indirect=True)
async def test_an_intact_gallery_passes_every_check(opened: OpenSchema) -> None:
    suite = suite_for(opened)
    found = await measured(opened, intact(opened.schema))
    assert suite.judge(found) == suite.healthy()
    for name, measurement in found.items():
        assert (measurement.skipped is not None) == (name in suite.skipped)
        if name != "artwork_supply":
            assert measurement.evidence == ()


@pytest.mark.parametrize(
    ("opened", "fault"),
    [(schema, fault) for schema in APP_SCHEMAS for fault in FAULTS if fault.possible(schema)],
    ids=lambda one: one.name,
    indirect=["opened"],
)
async def test_a_fault_is_found_by_its_check_and_by_no_other(
    opened: OpenSchema, fault: Fault
) -> None:
    schema, suite = opened.schema, suite_for(opened)
    found = await measured(opened, fault.planted(intact(schema), schema), fault.viewed)
    assert suite.judge(found) == {**suite.healthy(), fault.check: fault.outcome}
    measurement = found[fault.check]
    if fault.number is not None:
        assert measurement.numbers[fault.number] == 1
        assert measurement.value == 1
    if fault.check not in {"own", "artwork_supply"}:
        expected = fault.evidence(schema)
        assert {name: measurement.evidence[0][name] for name in expected} == expected
