"""One user's counts and one pair's explanation agree with the reference, in every schema."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from checks.census import take_census
from checks.pairs import PairState, explain, read_pair, take_user_census
from checks.spec import Cutoffs
from tests.support.galleries import NOBODY, Gallery, galleries
from tests.support.generated import examples
from tests.support.open_schema import OpenSchema
from tests.support.oracle import ExpectedCensus, expected_census
from tests.support.paired_schemas import in_every_schema


@in_every_schema
@examples(10)
@given(data=st.data())
async def test_users_and_pairs_tell_what_the_census_has_counted(
    opened: OpenSchema, data: st.DataObject
) -> None:
    gallery = data.draw(galleries(opened.schema))
    expected = expected_census(gallery, opened.schema)
    async with opened.holding(gallery):
        await assert_users_add_up(opened, gallery, expected)
        people = [*(person.id for person in gallery.people), NOBODY[0]]
        pieces = [*(piece.id for piece in gallery.pieces), NOBODY[0]]
        asked = st.tuples(st.sampled_from(people), st.sampled_from(pieces))
        for person, piece in data.draw(st.lists(asked, unique=True, min_size=1, max_size=6)):
            await assert_explained(opened, gallery, expected, person, piece)


async def assert_users_add_up(
    opened: OpenSchema, gallery: Gallery, expected: ExpectedCensus
) -> None:
    """Each user as in the reference, those of the audience adding up to the census."""
    cutoffs = Cutoffs.at(gallery.now, gallery.pools)
    asked = (opened.connection, opened.catalogue, gallery.pools, cutoffs)
    census = await take_census(*asked)
    sums = [0, 0, 0, 0]
    for user, (in_audience, counts) in expected.by_user.items():
        one = await take_user_census(*asked, user)
        found = (one.tracked, one.fresh, one.storage, one.legacy_untracked)
        assert (one.in_audience, found) == (in_audience, counts)
        if one.in_audience:
            sums = [total + part for total, part in zip(sums, found, strict=True)]
    assert tuple(sums) == census.counts


async def assert_explained(
    opened: OpenSchema, gallery: Gallery, expected: ExpectedCensus, person: int, piece: int
) -> None:
    """The explanation's state is that of the reference."""
    user, artwork = opened.schema.key(person), opened.schema.key(piece)
    cutoffs = Cutoffs.at(gallery.now, gallery.pools)
    facts = await read_pair(
        opened.connection,
        opened.catalogue,
        gallery.pools,
        cutoffs,
        user_id=user,
        artwork_id=artwork,
    )
    explanation = explain(facts, gallery.pools, cutoffs)
    state = expected.states.get((user, artwork))
    assert explanation.state == (PairState.NO_PAIR if state is None else state)
    assert explanation.because
    assert facts.impressions == gallery.views.count((person, piece))
