"""App schemas in which users may be shown some artworks only, with all that may come on top."""

from __future__ import annotations

from dataclasses import replace

import pytest

from checks.census import CensusForm
from checks.spec import (
    ArtworksSpec,
    CatalogueSpec,
    ImpressionsSpec,
    PairsSpec,
    SharedColumns,
    SqlMoment,
    ThroughSpec,
    UsersSpec,
)
from tests.support.app_schema import AppSchema, Stored
from tests.support.schema_matrix import APP_SCHEMAS, ON_SHOW

_TEAM = SharedColumns("team", "teamId")
_WING = SharedColumns("wing", "wing")
_SHOWN = "note <> '100%{off}'"
_USERS = """
CREATE TABLE users (id text PRIMARY KEY, created_at timestamptz, note text, team int, wing text);
"""
_ARTWORKS = """
CREATE TABLE art_sessions (
    id text PRIMARY KEY, created_at timestamptz, owner text, note text, "teamId" bigint,
    wing varchar
);
"""
_STRICT = """
CREATE TABLE user_art_impressions (
    user_id text NOT NULL REFERENCES users, artwork_id text NOT NULL REFERENCES art_sessions,
    viewed_at timestamptz, PRIMARY KEY (user_id, artwork_id)
);
"""
_LOOSE = "CREATE TABLE user_art_impressions (user_id text, artwork_id text, viewed_at timestamptz);"
_LIST = """
CREATE TABLE visible (who text, what text, since timestamptz, note text);
"""
_LISTINGS = "SELECT who AS user_id, what AS artwork_id, since FROM visible"
_FILL_LISTINGS = (
    "INSERT INTO visible (who, what, since, note) SELECT person, piece, {}, note FROM given"
)

SAME = AppSchema(
    name="teams",
    spec=CatalogueSpec(pairs=PairsSpec(same=(_TEAM,))),
    tables=_USERS + _ARTWORKS + _STRICT,
    fill_people="INSERT INTO users"
    " SELECT id, created::timestamptz, note, team::int, wing FROM given",
    fill_pieces="INSERT INTO art_sessions"
    " SELECT id, created::timestamptz, owner, note, team::bigint, wing FROM given",
    fill_views="INSERT INTO user_art_impressions"
    " SELECT person, piece, viewed::timestamptz FROM given",
    people="SELECT id, NULL::timestamptz AS created_at, team FROM users",
    pieces='SELECT id, created_at, owner AS owner_id, "teamId" AS team FROM art_sessions'
    " WHERE created_at IS NOT NULL",
    views="SELECT user_id, artwork_id FROM user_art_impressions",
    forms=(CensusForm.BY_ARTWORK_JOINED, CensusForm.BY_USER_AGE, CensusForm.BY_PAIR),
    agreeing="m.team = a.team",
    shared=("team",),
)
_AGED = "SELECT id, created_at, team, wing FROM users"
_BOTH = (
    'SELECT id, created_at, owner AS owner_id, "teamId" AS team, wing FROM art_sessions'
    " WHERE created_at IS NOT NULL"
)
SAME_AGED = replace(
    SAME,
    name="teams and wings, users' age, loose",
    spec=CatalogueSpec(
        users=UsersSpec(created_at="created_at"),
        pairs=PairsSpec(same=(_TEAM, _WING)),
    ),
    tables=_USERS + _ARTWORKS + _LOOSE,
    people=_AGED,
    pieces=_BOTH,
    forms=(CensusForm.BY_USER_AGE, CensusForm.BY_PAIR),
    agreeing="m.team = a.team AND m.wing = a.wing",
    shared=("team", "wing"),
    strict=False,
    strangers=True,
    orphans=True,
    aged=True,
)
SAME_MIXED = replace(
    SAME,
    name="teams of two types",
    spec=CatalogueSpec(users=UsersSpec(created_at="created_at"), pairs=PairsSpec(same=(_TEAM,))),
    tables=_USERS.replace("team int", "team numeric") + _ARTWORKS + _STRICT,
    people=_AGED,
    forms=(CensusForm.BY_PAIR,),
    aged=True,
)
SAME_OWNED = replace(
    SAME,
    name="owners and teams",
    spec=CatalogueSpec(
        artworks=ArtworksSpec(owner="owner"),
        users=UsersSpec(created_at="created_at"),
        pairs=PairsSpec(same=(_TEAM,)),
    ),
    tables=_USERS + _ARTWORKS + _LOOSE,
    people=_AGED,
    forms=(CensusForm.BY_OWNER, CensusForm.BY_PAIR),
    strict=False,
    strangers=True,
    orphans=True,
    aged=True,
    owned=True,
)
THROUGH = replace(
    SAME,
    name="a list with a key",
    spec=CatalogueSpec(pairs=PairsSpec(through=ThroughSpec("visible", "who", "what"))),
    tables=_USERS
    + _ARTWORKS
    + _STRICT
    + _LIST
    + "ALTER TABLE visible ADD PRIMARY KEY (what, who);",
    fill_listings=_FILL_LISTINGS.format("since::timestamptz") + f" WHERE {_SHOWN}",
    listings=_LISTINGS,
    forms=(CensusForm.BY_PAIR,),
    agreeing="TRUE",
    shared=(),
    listed_once=True,
)
THROUGH_SINCE = replace(
    THROUGH,
    name="a list that repeats itself, since when",
    spec=CatalogueSpec(
        pairs=PairsSpec(through=ThroughSpec("visible", "who", "what", "since", ON_SHOW))
    ),
    tables=_USERS + _ARTWORKS + _LOOSE + _LIST.replace("since timestamptz", "since timestamp"),
    fill_listings=_FILL_LISTINGS.format("since::timestamptz AT TIME ZONE 'UTC'"),
    listings="SELECT who AS user_id, what AS artwork_id, since AT TIME ZONE 'UTC' AS since"
    f" FROM visible WHERE {_SHOWN}",
    strict=False,
    strangers=True,
    orphans=True,
    listed_once=False,
    listed_since=True,
)
THROUGH_ALL = AppSchema(
    name="a view that lists, with owners, teams, users' age and everything filtered",
    spec=CatalogueSpec(
        artworks=ArtworksSpec("pieces", created_at="made", owner="owner", where=ON_SHOW),
        users=UsersSpec("people", created_at=SqlMoment("born -- 100%"), where=ON_SHOW),
        impressions=ImpressionsSpec("seen", "who", "what", "at"),
        pairs=PairsSpec(
            (_TEAM, SharedColumns("wing", "wing")),
            ThroughSpec("shelf", "who", "what", SqlMoment("coalesce(since, since)"), ON_SHOW),
        ),
    ),
    tables="""
CREATE TABLE people (id bigint PRIMARY KEY, born timestamptz, note text, team int, wing text);
CREATE TABLE pieces (
    id bigint PRIMARY KEY, made timestamptz, owner int, note text, "teamId" int, wing text
);
CREATE TABLE seen (who bigint, what bigint, at timestamptz);
CREATE TABLE shelves (who int, what numeric, since timestamptz, note text);
CREATE VIEW shelf AS SELECT DISTINCT who, what, since, note FROM shelves;
""",
    fill_people="INSERT INTO people"
    " SELECT id::bigint, created::timestamptz, note, team::int, wing FROM given",
    fill_pieces="INSERT INTO pieces"
    " SELECT id::bigint, created::timestamptz, owner::int, note, team::int, wing FROM given",
    fill_views="INSERT INTO seen"
    " SELECT person::bigint, piece::bigint, viewed::timestamptz FROM given",
    people=f"SELECT id::text, born AS created_at, team, wing FROM people WHERE {_SHOWN}",
    pieces='SELECT id::text, made AS created_at, owner::text AS owner_id, "teamId" AS team, wing'
    f" FROM pieces WHERE made IS NOT NULL AND {_SHOWN}",
    views="SELECT who::text AS user_id, what::text AS artwork_id FROM seen",
    fill_listings="INSERT INTO shelves"
    " SELECT person::int, piece::numeric, since::timestamptz, note FROM given",
    listings="SELECT who::text AS user_id, what::text AS artwork_id, since FROM shelves"
    f" WHERE {_SHOWN}",
    forms=(CensusForm.BY_PAIR,),
    stored=Stored.ZONED,
    strict=False,
    strangers=True,
    orphans=True,
    aged=True,
    owned=True,
    agreeing="m.team = a.team AND m.wing = a.wing",
    shared=("team", "wing"),
    listed_since=True,
    people_filtered=True,
    pieces_filtered=True,
)
THROUGH_AGED = replace(
    THROUGH_ALL,
    name="a view that lists, with teams and users' age",
    spec=replace(
        THROUGH_ALL.spec,
        artworks=ArtworksSpec("pieces", created_at="made"),
        users=UsersSpec("people", created_at="born"),
        pairs=replace(THROUGH_ALL.spec.pairs, same=(_TEAM,)),
    ),
    people="SELECT id::text, born AS created_at, team FROM people",
    pieces='SELECT id::text, made AS created_at, NULL AS owner_id, "teamId" AS team'
    " FROM pieces WHERE made IS NOT NULL",
    agreeing="m.team = a.team",
    shared=("team",),
    owned=False,
    people_filtered=False,
    pieces_filtered=False,
)

PAIRED = (
    *(SAME, SAME_AGED, SAME_MIXED, SAME_OWNED),
    *(THROUGH, THROUGH_SINCE, THROUGH_AGED, THROUGH_ALL),
)
in_every_schema = pytest.mark.parametrize(
    "opened", (*APP_SCHEMAS, *PAIRED), ids=lambda schema: schema.name, indirect=True
)
"""Gives a test these as well, as `opened`."""
