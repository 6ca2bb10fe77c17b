"""What a run keeps of its settings comes back as it was, and tells what differs without a value."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass, replace
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.kept_catalogue import KeptCatalogue, other_settings
from checks.spec import (
    ArtworksSpec,
    Audience,
    CatalogueSpec,
    ImpressionsSpec,
    PairsSpec,
    SharedColumns,
    SqlMoment,
    ThroughSpec,
    UsersSpec,
)

SECRET = "secret = 'x'"
texts = st.text(
    st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), min_size=1, max_size=6
)
maybe = st.none() | texts
moments = texts | st.builds(SqlMoment, texts)
expressions = st.dictionaries(texts, texts, max_size=3).map(MappingProxyType)
catalogues = st.builds(
    CatalogueSpec,
    artworks=st.builds(ArtworksSpec, texts, texts, moments, maybe, maybe),
    users=st.builds(UsersSpec, texts, texts, st.none() | moments, maybe),
    impressions=st.builds(
        ImpressionsSpec,
        table=texts,
        viewed_at=st.none() | moments,
        where=maybe,
        counts=maybe,
        set=expressions,
        defaults=expressions,
        several=st.booleans(),
        key=st.lists(texts, max_size=2).map(tuple),
    ),
    pairs=st.builds(
        PairsSpec,
        same=st.lists(st.builds(SharedColumns, texts, texts), max_size=2).map(tuple),
        through=st.none() | st.builds(ThroughSpec, texts, texts, texts, st.none() | moments, maybe),
    ),
    timezone=texts,
)
kept = st.builds(KeptCatalogue.of, catalogues, st.sampled_from(Audience))
PRESENT = KeptCatalogue.of(CatalogueSpec(), Audience.TRACKED)


def decoded(one: KeptCatalogue) -> Any:
    return json.loads(one.as_json())


@given(one=kept)
def test_what_is_kept_comes_back_as_it_was(one: KeptCatalogue) -> None:
    assert KeptCatalogue.read(decoded(one)) == one
    assert other_settings(decoded(one), one) == ()


@given(one=kept, other=kept)
def test_others_differ_in_some_setting_and_equal_ones_have_one_text(
    one: KeptCatalogue, other: KeptCatalogue
) -> None:
    assert bool(other_settings(decoded(one), other)) == (one != other)
    assert (one.as_json() == other.as_json()) == (one == other)


def test_every_setting_of_the_catalogue_is_kept() -> None:
    """A field that a later version adds is not forgotten."""
    named = {one.name for one in fields(CatalogueSpec)} - {"accept"}
    assert set(PRESENT.settings["catalog"]) == named
    through = ThroughSpec("lists")
    spec = CatalogueSpec(pairs=PairsSpec((SharedColumns("a", "b"),), through))
    whole = KeptCatalogue.of(spec, Audience.ALL)
    for name in named:
        record = getattr(spec, name)
        if is_dataclass(record):
            assert set(whole.settings["catalog"][name]) == {one.name for one in fields(record)}


def test_what_is_accepted_is_nobody_s_matter() -> None:
    accepting = KeptCatalogue.of(CatalogueSpec(accept=("unknown_users",)), Audience.TRACKED)
    assert other_settings(decoded(accepting), PRESENT) == ()


CHANGES = {
    "catalog.artworks.where": replace(CatalogueSpec(), artworks=ArtworksSpec(where=SECRET)),
    "catalog.users.created_at": replace(
        CatalogueSpec(), users=UsersSpec(created_at=SqlMoment(SECRET))
    ),
    "catalog.impressions.table": replace(
        CatalogueSpec(), impressions=ImpressionsSpec(table=SECRET)
    ),
    "catalog.impressions.defaults.note": replace(
        CatalogueSpec(), impressions=ImpressionsSpec(defaults={"note": SECRET})
    ),
    "catalog.impressions.viewed_at": replace(
        CatalogueSpec(), impressions=ImpressionsSpec(viewed_at=SqlMoment(SECRET))
    ),
    "catalog.pairs.through": replace(CatalogueSpec(), pairs=PairsSpec(through=ThroughSpec(SECRET))),
    "catalog.timezone": replace(CatalogueSpec(), timezone=SECRET),
}


@pytest.mark.parametrize("path", CHANGES)
def test_a_change_is_told_by_its_path_alone(path: str) -> None:
    changed = KeptCatalogue.of(CHANGES[path], Audience.TRACKED)
    assert other_settings(decoded(changed), PRESENT) == (path,)
    assert other_settings(decoded(PRESENT), changed) == (path,)


def test_the_audience_is_kept_too() -> None:
    everybody = KeptCatalogue.of(CatalogueSpec(), Audience.ALL)
    assert other_settings(decoded(everybody), PRESENT) == ("pools.audience",)


def test_a_run_from_before_differs_in_nothing() -> None:
    assert other_settings(None, PRESENT) == ()


def test_a_setting_that_was_not_there_yet_has_its_default() -> None:
    older = decoded(PRESENT)
    del older["catalog"]["pairs"], older["catalog"]["impressions"]["counts"]
    assert KeptCatalogue.read(older) == PRESENT


UNREADABLE: tuple[Any, ...] = (
    {"catalog": {"later": 1}, "pools": {"audience": "tracked"}},
    {"catalog": {"impressions": {"later": None}}, "pools": {"audience": "tracked"}},
    {"catalog": {"artworks": {"created_at": {"sql": "x", "later": 1}}}, "pools": {}},
    {"catalog": {}, "pools": {"audience": "some"}},
    {"catalog": {}, "pools": {"audience": "tracked"}, "later": {}},
    {"catalog": {"accept": []}, "pools": {"audience": "tracked"}},
    {"catalog": {"users": {"id": 1}}, "pools": {"audience": "tracked"}},
    {"catalog": {"pairs": {"same": [{"user": "a"}]}}, "pools": {"audience": "tracked"}},
    {"catalog": {"impressions": {"several": "yes"}}, "pools": {"audience": "tracked"}},
    {"catalog": {}},
    [],
    "text",
)


@pytest.mark.parametrize("value", UNREADABLE, ids=str)
def test_what_a_newer_version_wrote_is_another_catalogue(value: Any) -> None:
    assert KeptCatalogue.read(value) is None
    assert other_settings(value, PRESENT) == ("catalog",)
