"""Every form of the census equals the plain anti-join, in every schema, on generated galleries."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
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
from tests.support.app_schema import EPOCH
from tests.support.galleries import galleries
from tests.support.generated import examples
from tests.support.open_schema import OpenSchema
from tests.support.oracle import ExpectedCensus, anti_join, expected_census
from tests.support.paired_schemas import in_every_schema


@in_every_schema
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
                young.add(census.young_tracked)
            affected = await count_affected_users(connection, one, gallery.pools, cutoffs, census)
            assert (affected.affected, affected.clear) == (
                expected.affected,
                expected.audience - expected.affected,
            )
        assert len(young) == 1


@in_every_schema
async def test_the_catalogue_proves_exactly_the_forms_that_are_exact(opened: OpenSchema) -> None:
    pools = PoolsSpec()
    assert exact_forms(opened.catalogue, pools) == opened.schema.forms
    assert choose_form(opened.catalogue, pools)[0] is opened.schema.forms[0]
    bounded = replace(pools, legacy_created_before=EPOCH)
    assert exact_forms(opened.catalogue, bounded) == tuple(
        form for form in opened.schema.forms if form is not CensusForm.BY_TOTAL
    )


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
