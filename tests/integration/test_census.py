"""Every form of the census equals the plain anti-join, in every schema, on generated galleries."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks import halves
from checks.affected import count_affected_users
from checks.census import Census, CensusForm, choose_form, exact_forms, take_census
from checks.citus.forms import on_citus
from checks.spec import Cutoffs
from tests.support.galleries import galleries
from tests.support.generated import examples
from tests.support.open_schema import OpenSchema
from tests.support.oracle import ExpectedCensus, anti_join, expected_census
from tests.support.paired_schemas import in_every_schema


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few impressions there are, two sessions may share the count."""
    monkeypatch.setattr(halves, "SHARED_FROM", 0)


@in_every_schema
@pytest.mark.usefixtures("shared")
@examples(15)
@given(data=st.data())
async def test_every_exact_form_equals_the_plain_anti_join(
    opened: OpenSchema, data: st.DataObject
) -> None:
    schema, catalogue = opened.schema, opened.catalogue
    gallery = data.draw(galleries(schema))
    expected = expected_census(gallery, schema)
    cutoffs = Cutoffs.at(gallery.now, gallery.pools)
    async with opened.holding(gallery) as connection:
        assert await anti_join(connection, gallery, schema) == expected
        young = set()

        async def in_halves(mine: Any, theirs: Any) -> Any:
            return await mine(connection), await theirs(connection)

        for one in (catalogue, on_citus(catalogue)):
            for form, halves in product((None, *exact_forms(one)), (None, in_halves)):
                census = await take_census(
                    connection,
                    one,
                    gallery.pools,
                    cutoffs,
                    verified_until=gallery.verified_until,
                    form=form,
                    side_by_side=halves,
                )
                assert_equal(census, expected)
                young.add(census.young_tracked)
            affected = await count_affected_users(connection, one, gallery.pools, cutoffs, census)
            assert (affected.affected, affected.clear) == (
                expected.affected,
                expected.audience - expected.affected,
            )
        assert len(young) == 1


@in_every_schema
async def test_the_catalogue_proves_exactly_the_forms_that_are_exact(opened: OpenSchema) -> None:
    first = opened.schema.forms[0]
    assert exact_forms(opened.catalogue) == opened.schema.forms
    # These tables are too small for probes.
    expected = CensusForm.BY_ARTWORK if first is CensusForm.BY_PROBE else first
    assert choose_form(opened.catalogue)[0] is expected


def assert_equal(census: Census, expected: ExpectedCensus) -> None:
    assert census.counts == expected.counts
    assert census.pairs == len([user for user, _ in expected.states if expected.by_user[user][0]])
    assert census.appeared == expected.appeared
    assert census.aged == expected.counts[3] - expected.appeared
    assert census.legacy_artworks == expected.legacy_artworks
    assert census.oldest_legacy_created == expected.oldest_legacy
    assert census.audience == expected.audience
    assert census.users == expected.users
    assert census.untracked_users == expected.users - expected.audience
