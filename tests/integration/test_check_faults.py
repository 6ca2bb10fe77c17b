"""Each planted fault is found by its check and by no other, in every hall that can hold it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from checks.judgement import Measurement
from checks.spec import Cutoffs, PoolsSpec
from tests.support.check_suite import Suite
from tests.support.databases import EMPTY, cloned
from tests.support.faults import FAULTS, Fault, intact
from tests.support.galleries import Gallery
from tests.support.hall_list import HALLS
from tests.support.halls import Hall
from tests.support.opening import OpenHall, open_hall, run
from tests.support.postgres import PostgresServer
from tests.support.views import set_viewed


@pytest.fixture(scope="module")
def url(server: PostgresServer) -> Iterator[str]:
    """One database for all tests here: whatever they insert is rolled back."""
    with cloned(server, EMPTY) as made:
        yield made


@pytest.fixture
async def opened(request: pytest.FixtureRequest, url: str) -> AsyncIterator[OpenHall]:
    hall: Hall = request.param
    async with open_hall(url, hall) as made:
        yield made


def suite_for(opened: OpenHall) -> Suite:
    hall = opened.hall
    unique = {"duplicate_impressions"} if hall.strict else set()
    tied = {"orphan_impressions"} if hall.strict and not hall.orphans else set()
    return Suite(
        opened.catalogue,
        PoolsSpec(),
        query=f"SELECT count(*) FROM ({hall.people}) AS person",
        limit=3,
        skipped=frozenset(unique | tied),
    )


async def measured(
    opened: OpenHall, gallery: Gallery, viewed: int | None = None
) -> dict[str, Measurement]:
    async with opened.hanging(gallery) as connection:
        if viewed is not None:
            pair = (opened.hall.key(0), opened.hall.key(0))
            await set_viewed(connection, opened.catalogue, {pair: viewed})
        await run(connection, "SET LOCAL transaction_read_only = on")
        cutoffs = Cutoffs.at(gallery.now, gallery.pools)
        return await suite_for(opened).measure(connection, cutoffs)


@pytest.mark.parametrize("opened", HALLS, ids=lambda hall: hall.name, indirect=True)
async def test_an_intact_gallery_passes_every_check(opened: OpenHall) -> None:
    suite = suite_for(opened)
    found = await measured(opened, intact(opened.hall))
    assert suite.judge(found) == suite.healthy()
    for name, measurement in found.items():
        assert (measurement.skipped is not None) == (name in suite.skipped)
        if name != "artwork_supply":
            assert measurement.evidence == ()


@pytest.mark.parametrize(
    ("opened", "fault"),
    [(hall, fault) for hall in HALLS for fault in FAULTS if fault.possible(hall)],
    ids=lambda one: one.name,
    indirect=["opened"],
)
async def test_a_fault_is_found_by_its_check_and_by_no_other(
    opened: OpenHall, fault: Fault
) -> None:
    hall, suite = opened.hall, suite_for(opened)
    found = await measured(opened, fault.hangs(intact(hall), hall), fault.viewed)
    assert suite.judge(found) == {**suite.healthy(), fault.check: fault.outcome}
    measurement = found[fault.check]
    if fault.number is not None:
        assert measurement.numbers[fault.number] == 1
        assert measurement.value == 1
    if fault.check not in {"own", "artwork_supply"}:
        expected = fault.evidence(hall)
        assert {name: measurement.evidence[0][name] for name in expected} == expected
