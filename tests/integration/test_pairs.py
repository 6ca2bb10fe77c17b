"""One user's counts and one pair's explanation agree with the reference, in every hall."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checks.census import take_census
from checks.pairs import PairState, explain, read_pair, take_user_census
from checks.spec import Borders
from monitor.demo.server import PostgresServer
from tests.support.databases import EMPTY, cloned
from tests.support.galleries import NOBODY, galleries
from tests.support.hall_list import HALLS
from tests.support.halls import Hall
from tests.support.opening import OpenHall, open_hall
from tests.support.reckoning import reckon

generated = settings(
    max_examples=20,
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
async def test_the_users_of_the_audience_add_up_to_the_census(
    opened: OpenHall, data: st.DataObject
) -> None:
    hall, catalogue = opened.hall, opened.catalogue
    gallery = data.draw(galleries(hall))
    expected = reckon(gallery, hall)
    borders = Borders.at(gallery.now, gallery.pools)
    sums = [0, 0, 0, 0]
    async with opened.hanging(gallery) as connection:
        census = await take_census(connection, catalogue, gallery.pools, borders)
        for user, (in_audience, counts) in expected.by_user.items():
            one = await take_user_census(connection, catalogue, gallery.pools, borders, user)
            found = (one.tracked, one.fresh, one.storage, one.legacy_untracked)
            assert (one.in_audience, found) == (in_audience, counts)
            if one.in_audience:
                sums = [total + part for total, part in zip(sums, found, strict=True)]
    assert tuple(sums) == census.counts


@generated
@given(data=st.data())
async def test_the_explanation_of_a_pair_names_the_state_that_the_census_counts_it_in(
    opened: OpenHall, data: st.DataObject
) -> None:
    hall, catalogue = opened.hall, opened.catalogue
    gallery = data.draw(galleries(hall))
    expected = reckon(gallery, hall)
    borders = Borders.at(gallery.now, gallery.pools)
    people = [*(person.id for person in gallery.people), NOBODY[0]]
    pieces = [*(piece.id for piece in gallery.pieces), NOBODY[0]]
    asked = st.tuples(st.sampled_from(people), st.sampled_from(pieces))
    async with opened.hanging(gallery) as connection:
        for person, piece in data.draw(st.lists(asked, unique=True, min_size=1, max_size=6)):
            user, artwork = hall.key(person), hall.key(piece)
            facts = await read_pair(
                connection,
                catalogue,
                gallery.pools,
                borders,
                user_id=user,
                artwork_id=artwork,
            )
            explanation = explain(facts, gallery.pools, borders)
            state = expected.states.get((user, artwork))
            assert explanation.state == (PairState.NO_PAIR if state is None else state)
            assert explanation.because
            assert facts.impressions == gallery.views.count((person, piece))
