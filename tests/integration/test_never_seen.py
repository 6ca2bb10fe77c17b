"""Artworks that nobody has seen, found without counting all impressions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from checks.census import parameters
from checks.fragments import fragments
from checks.spec import Cutoffs
from checks.statements import render
from tests.support.galleries import galleries
from tests.support.generated import examples
from tests.support.open_schema import OpenSchema
from tests.support.paired_schemas import in_every_schema


@in_every_schema
@examples(20)
@given(data=st.data())
async def test_they_are_those_that_a_count_of_all_impressions_finds(
    opened: OpenSchema, data: st.DataObject
) -> None:
    gallery = data.draw(galleries(opened.schema))
    names = fragments(opened.catalogue, gallery.pools)
    asked = parameters(Cutoffs.at(gallery.now, gallery.pools))
    async with opened.holding(gallery) as connection:
        found, counted = [
            (await connection.exec_driver_sql(render("checks", name, names), asked)).one()
            for name in ("catalogue_never_seen", "catalogue_never_seen_on_citus")
        ]
    assert (found.artworks, found.never_seen) == (counted.artworks, counted.never_seen)
    assert found.users in (counted.users, None)
    assert found.users is not None or not found.never_seen
