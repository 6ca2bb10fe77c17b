"""Which columns users and artworks share, and from which numbers on the doctor suspects."""

from __future__ import annotations

from dataclasses import replace

import pytest

from checks.doctor.pair_evidence import Crossing, Named, SharedValues, ViewedBefore
from checks.doctor.pair_probes import shared_columns
from checks.relations import Catalogue, Column, Relation
from checks.spec import ArtworksSpec, CatalogueSpec
from tests.unit.test_doctor import ARTWORKS, FACTS, USERS, column, index, key, moment, relation

STUDIOS = relation(7, "studios", column("id"), indexes=(index("id", primary=True),))
ROOMS = relation(8, "rooms", column("id"), indexes=(index("id", primary=True),))


def having(base: Relation, *columns: Column, **more: object) -> Relation:
    """The relation with more columns."""
    wider = {**base.columns, **{one.name: one for one in columns}}
    return replace(base, columns=wider, **more)  # type: ignore[arg-type]


def shared(users: Relation, artworks: Relation, **spec: str) -> list[tuple[str, str, str | None]]:
    """What is found, as the names of both columns and of the table that both refer to."""
    facts = replace(
        FACTS,
        spec=CatalogueSpec(artworks=ArtworksSpec(**spec)),
        users=users,
        artworks=artworks,
    )
    catalogue = facts.catalogue
    assert isinstance(catalogue, Catalogue)
    return [
        (one.of_users.name, one.of_artworks.name, one.referred) for one in shared_columns(catalogue)
    ]


def test_columns_that_refer_to_the_same_table_are_shared_whatever_their_names() -> None:
    users = having(
        USERS, column("a"), column("home"), foreign_keys=(key("home", STUDIOS), key("a", ROOMS))
    )
    artworks = having(
        ARTWORKS, column("a"), column("studio"), foreign_keys=(key("studio", STUDIOS),)
    )
    assert shared(users, artworks) == [("home", "studio", "studios"), ("a", "a", None)]
    assert shared(users, artworks, owner="studio") == []


def test_columns_of_one_name_that_refer_to_two_tables_share_nothing() -> None:
    users = having(USERS, column("place"), foreign_keys=(key("place", STUDIOS),))
    artworks = having(ARTWORKS, column("place"), foreign_keys=(key("place", ROOMS),))
    assert shared(users, artworks) == []


@pytest.mark.parametrize(
    ("of_users", "of_artworks", "found"),
    [
        (column("x"), column("x"), True),
        (column("x"), column("x", "character varying"), True),
        (column("x", "integer", "N"), column("x", "bigint", "N"), True),
        (column("x", "uuid", "U"), column("x", "uuid", "U"), True),
        (column("x", "boolean", "B"), column("x", "boolean", "B"), True),
        (column("x", "uuid", "U"), column("x"), False),
        (column("x", "jsonb", "U"), column("x", "jsonb", "U"), False),
        (column("x", "integer[]", "A"), column("x", "integer[]", "A"), False),
        (moment("x"), moment("x"), False),
        (column("x"), column("y"), False),
    ],
)
def test_columns_of_one_name_are_shared_where_they_hold_values_of_one_kind(
    of_users: Column, of_artworks: Column, found: bool
) -> None:
    assert bool(shared(having(USERS, of_users), having(ARTWORKS, of_artworks))) is found


def test_what_the_catalogue_names_and_what_is_unique_on_both_sides_is_not_shared() -> None:
    assert shared(USERS, ARTWORKS) == []
    slug = column("slug")
    unique = {"indexes": (index("id", primary=True), index("slug"))}
    users, artworks = having(USERS, slug, **unique), having(ARTWORKS, slug, **unique)
    assert shared(users, artworks) == []
    assert shared(having(USERS, slug), artworks) == [("slug", "slug", None)]


@pytest.mark.parametrize(
    ("crossing", "expected", "suspected"),
    [(0, 20, True), (0, 19.9, False), (1, 20, True), (2, 20, False), (50, 1000, True)],
)
def test_hardly_any_is_a_twentieth_of_at_least_twenty(
    crossing: int, expected: float, suspected: bool
) -> None:
    assert Crossing(10_000, crossing, crossing, expected).hardly_any is suspected


@pytest.mark.parametrize(
    ("changed", "suspected"),
    [
        ({}, True),
        ({"viewed": 1}, False),
        ({"viewed": 2, "expected": 100.0}, True),
        ({"expected": 29.9}, False),
        ({"users": 2}, False),
        ({"users_without": 2}, False),
        ({"users_with": 10}, False),
    ],
)
def test_nothing_viewed_takes_enough_users_who_would_have(
    changed: dict[str, float], suspected: bool
) -> None:
    plain = ViewedBefore(users=3, users_with=9, users_without=3, viewed=0, expected=30.0)
    assert replace(plain, **changed).hardly_any is suspected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("impressions", "ids", "suspected"),
    [(0, 0, False), (40, 4, False), (50, 4, True), (40, 5, True)],
)
def test_unknown_ids_are_suspected_where_many_are_in_no_table(
    impressions: int, ids: int, suspected: bool
) -> None:
    named = Named(1000, 100, 800, 80, gone_impressions=impressions, gone_ids=ids)
    assert named.many_gone is suspected


@pytest.mark.parametrize(
    ("crossing", "across", "suspected"),
    [(0, 400, True), (0, 0, False), (1, 400, False)],
    ids=["others' artworks", "one value alone", "one crosses"],
)
def test_a_tenant_that_is_nearly_everybody_is_one_too(
    crossing: int, across: int, suspected: bool
) -> None:
    values = SharedValues(values=2, largest=((40, 10),), pairs=800, across=across, aged=0)
    answer = Crossing(300, crossing, elsewhere=crossing, expected=3.0, values=values)
    assert (answer.is_of_one_value and answer.leaves_some_out) is suspected
    assert not answer.hardly_any
