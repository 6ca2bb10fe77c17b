"""Halls with names, ids and moments that few apps have, and some do."""

from __future__ import annotations

from checks.census import CensusForm
from checks.spec import ArtworksSpec, CatalogueSpec, ImpressionsSpec, UsersSpec
from tests.support.halls import Hall, Stored


def _uuid(number: int) -> str:
    return f"0000000{number:x}-0000-4000-8000-00000000000{number:x}"


def _bigint(number: int) -> str:
    return str({0: 0, 1: -(2**63), 2: 2**63 - 1}.get(number, -number))


BERLIN = Hall(
    name="camel case in Berlin",
    spec=CatalogueSpec(
        artworks=ArtworksSpec("Art Sessions", created_at="createdAt"),
        users=UsersSpec("User", created_at="createdAt"),
        impressions=ImpressionsSpec(
            "UserArtImpression", user="userId", artwork="artworkId", viewed_at="viewedAt"
        ),
        timezone="Europe/Berlin",
    ),
    tables="""
CREATE TABLE "User" (id uuid PRIMARY KEY, "createdAt" timestamp);
CREATE TABLE "Art Sessions" (id uuid PRIMARY KEY, "createdAt" timestamp);
CREATE TABLE "UserArtImpression" (
    "userId" uuid NOT NULL REFERENCES "User", "artworkId" uuid NOT NULL REFERENCES "Art Sessions",
    "viewedAt" timestamp, PRIMARY KEY ("userId", "artworkId")
);
""",
    fill_people='INSERT INTO "User" SELECT id::uuid, created::timestamp FROM given',
    fill_pieces='INSERT INTO "Art Sessions" SELECT id::uuid, created::timestamp FROM given',
    fill_views='INSERT INTO "UserArtImpression"'
    " SELECT person::uuid, piece::uuid, viewed::timestamp FROM given",
    people="""SELECT id::text, "createdAt" AT TIME ZONE 'Europe/Berlin' AS created_at
        FROM "User" """,
    pieces="""SELECT id::text, "createdAt" AT TIME ZONE 'Europe/Berlin' AS created_at,
        NULL AS owner_id FROM "Art Sessions" WHERE "createdAt" IS NOT NULL""",
    views='SELECT "userId"::text AS user_id, "artworkId"::text AS artwork_id'
    ' FROM "UserArtImpression"',
    forms=(CensusForm.BY_USER_AGE,),
    key=_uuid,
    stored=Stored.WALL,
    aged=True,
)

BIGINT = Hall(
    name="bigint ids, dates, names with dots and percent signs",
    spec=CatalogueSpec(
        artworks=ArtworksSpec('"my.gallery".pieces', created_at="made"),
        users=UsersSpec('"my.gallery"."100% {my} users"'),
        impressions=ImpressionsSpec(
            '"my.gallery".seen', user="%(user)s", artwork="p", viewed_at="at"
        ),
        timezone="Asia/Kathmandu",
    ),
    tables="""
CREATE SCHEMA "my.gallery";
CREATE TABLE "my.gallery"."100% {my} users" (id bigint PRIMARY KEY);
CREATE TABLE "my.gallery".pieces (id bigint PRIMARY KEY, made date);
CREATE TABLE "my.gallery".seen (
    "%(user)s" bigint NOT NULL REFERENCES "my.gallery"."100% {my} users", p bigint NOT NULL,
    at timestamptz, UNIQUE (p, "%(user)s")
);
""",
    fill_people='INSERT INTO "my.gallery"."100% {my} users" SELECT id::bigint FROM given',
    fill_pieces='INSERT INTO "my.gallery".pieces SELECT id::bigint, created::date FROM given',
    fill_views='INSERT INTO "my.gallery".seen'
    " SELECT person::bigint, piece::bigint, viewed::timestamptz FROM given",
    people='SELECT id::text, NULL::timestamptz AS created_at FROM "my.gallery"."100% {my} users"',
    pieces="SELECT id::text, made::timestamp AT TIME ZONE 'Asia/Kathmandu' AS created_at,"
    ' NULL AS owner_id FROM "my.gallery".pieces WHERE made IS NOT NULL',
    views='SELECT "%(user)s"::text AS user_id, p::text AS artwork_id FROM "my.gallery".seen',
    forms=(CensusForm.BY_ARTWORK, CensusForm.BY_ARTWORK_JOINED, CensusForm.BY_USER_AGE),
    key=_bigint,
    stored=Stored.DATE,
    orphans=True,
)

VIEWS = Hall(
    name="views over numbers of two widths",
    spec=CatalogueSpec(users=UsersSpec(created_at="since")),
    tables="""
CREATE TABLE person (id int, since timestamptz);
CREATE TABLE piece (id bigint, born timestamptz);
CREATE TABLE seen (who bigint, what int, at timestamptz);
CREATE VIEW users AS SELECT id, since FROM person;
CREATE VIEW art_sessions AS SELECT id, born AS created_at FROM piece;
CREATE VIEW user_art_impressions AS
    SELECT who AS user_id, what AS artwork_id, at AS viewed_at FROM seen;
""",
    fill_people="INSERT INTO person SELECT id::int, created::timestamptz FROM given",
    fill_pieces="INSERT INTO piece SELECT id::bigint, created::timestamptz FROM given",
    fill_views="INSERT INTO seen SELECT person::bigint, piece::int, viewed::timestamptz FROM given",
    people="SELECT id::text, since AS created_at FROM person",
    pieces="SELECT id::text, born AS created_at, NULL AS owner_id FROM piece"
    " WHERE born IS NOT NULL",
    views="SELECT who::text AS user_id, what::text AS artwork_id FROM seen",
    forms=(CensusForm.BY_USER_AGE,),
    strict=False,
    strangers=True,
    orphans=True,
    aged=True,
)
