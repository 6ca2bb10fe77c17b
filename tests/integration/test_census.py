"""Every form of the census equals the plain anti-join, in every hall, on generated galleries."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checks.census import (
    Census,
    CensusForm,
    choose_form,
    count_affected_users,
    exact_forms,
    take_census,
)
from checks.citus.forms import on_citus
from checks.spec import Cutoffs, PoolsSpec
from tests.support.anti_join import anti_join
from tests.support.databases import EMPTY, cloned
from tests.support.galleries import galleries
from tests.support.hall_list import HALLS
from tests.support.halls import EPOCH, Hall
from tests.support.opening import OpenHall, open_hall
from tests.support.postgres import PostgresServer
from tests.support.reckoning import Reckoning, reckon

generated = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def url(server: PostgresServer) -> Iterator[str]:
    """One database for all tests here: whatever they insert is rolled back."""
    with cloned(server, EMPTY) as made:
        yield made


@pytest.fixture(params=HALLS, ids=lambda hall: hall.name)
async def opened(request: pytest.FixtureRequest, url: str) -> AsyncIterator[OpenHall]:
    hall: Hall = request.param
    async with open_hall(url, hall) as made:
        yield made


@generated
@given(data=st.data())
async def test_every_exact_form_equals_the_plain_anti_join(
    opened: OpenHall, data: st.DataObject
) -> None:
    hall, catalogue = opened.hall, opened.catalogue
    gallery = data.draw(galleries(hall))
    expected = reckon(gallery, hall)
    cutoffs = Cutoffs.at(gallery.now, gallery.pools)
    async with opened.hanging(gallery) as connection:
        assert await anti_join(connection, gallery, hall) == expected
        for one in (catalogue, on_citus(catalogue)):
            for form in (None, *exact_forms(one, gallery.pools)):
                census = await take_census(
                    connection,
                    one,
                    gallery.pools,
                    cutoffs,
                    verified_until=gallery.verified_until,
                    form=form,
                )
                assert_equal(census, expected)
            affected = await count_affected_users(connection, one, gallery.pools, cutoffs, census)
            assert (affected.affected, affected.clear) == (
                expected.affected,
                expected.audience - expected.affected,
            )


async def test_the_catalogue_proves_exactly_the_forms_that_are_exact(opened: OpenHall) -> None:
    pools = PoolsSpec()
    assert exact_forms(opened.catalogue, pools) == opened.hall.forms
    assert choose_form(opened.catalogue, pools)[0] is opened.hall.forms[0]
    bounded = replace(pools, legacy_created_before=EPOCH)
    assert exact_forms(opened.catalogue, bounded) == tuple(
        form for form in opened.hall.forms if form is not CensusForm.BY_TOTAL
    )


def assert_equal(census: Census, expected: Reckoning) -> None:
    assert census.counts == expected.counts
    assert census.pairs == len([user for user, _ in expected.states if expected.by_user[user][0]])
    assert census.appeared == expected.appeared
    assert census.aged == expected.counts[3] - expected.appeared
    assert census.legacy_artworks == expected.legacy_artworks
    assert census.oldest_legacy_created == expected.oldest_legacy
    assert census.audience == expected.audience
    assert census.users == expected.users
    assert census.untracked_users == expected.users - expected.audience
