"""Every app schema that the census is proved on, the unusual ones first."""

from __future__ import annotations

from checks.census import CensusForm
from checks.spec import ArtworksSpec, CatalogueSpec, ImpressionsSpec, UsersSpec
from monitor.demo.gallery import SCHEMA
from tests.support.app_schema import AppSchema, Stored


def _uuid(number: int) -> str:
    return f"0000000{number:x}-0000-4000-8000-00000000000{number:x}"


def _bigint(number: int) -> str:
    return str({0: 0, 1: -(2**63), 2: 2**63 - 1}.get(number, -number))


BERLIN = AppSchema(
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

BIGINT = AppSchema(
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
    forms=(
        CensusForm.BY_PROBE,
        CensusForm.BY_ARTWORK,
        CensusForm.BY_ARTWORK_JOINED,
        CensusForm.BY_USER_AGE,
    ),
    key=_bigint,
    stored=Stored.DATE,
    orphans=True,
)

VIEWS = AppSchema(
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
    orphans_shown=False,
    aged=True,
)


_JOINED = (CensusForm.BY_ARTWORK_JOINED, CensusForm.BY_USER_AGE)
_COUNTED = (CensusForm.BY_ARTWORK, *_JOINED)
_ALL = (CensusForm.BY_PROBE, *_COUNTED)
_AGED = (CensusForm.BY_USER_AGE,)
_OWNED = (CensusForm.BY_OWNER,)

# What the operator might write: a percent sign, braces, quotes, and an end that swallows brackets.
ON_SHOW = "note NOT LIKE '100%{off}' -- 50% {} (of \"it"
_ON_SHOW = "note <> '100%{off}'"


def _odd(number: int) -> str:
    return f"it's {number} %s {{user}}"


APP = AppSchema(
    name="app",
    spec=CatalogueSpec(),
    tables=SCHEMA.read_text(encoding="utf-8"),
    fill_people="INSERT INTO users (id, created_at)"
    " SELECT id, coalesce(created::timestamp, now()) FROM given",
    fill_pieces="INSERT INTO art_sessions (id, created_at, user_id, session_id, image_url)"
    " SELECT id, created::timestamp, owner, id, id FROM given",
    fill_views="INSERT INTO user_art_impressions (user_id, artwork_id, viewed_at)"
    " SELECT person, piece, viewed::timestamp FROM given",
    people="SELECT id, NULL::timestamptz AS created_at FROM users",
    pieces="SELECT id, created_at AT TIME ZONE 'UTC' AS created_at, user_id AS owner_id"
    " FROM art_sessions",
    views="SELECT user_id, artwork_id FROM user_art_impressions",
    forms=_ALL,
    key=_odd,
    stored=Stored.WALL,
    nullable=False,
)

_PLAIN_USERS = "CREATE TABLE users (id text PRIMARY KEY, created_at timestamptz, note text);"
_PLAIN_ARTWORKS = (
    "CREATE TABLE art_sessions"
    " (id text PRIMARY KEY, created_at timestamptz, owner text, note text);"
)
_STRICT = (
    _PLAIN_USERS
    + _PLAIN_ARTWORKS
    + """
CREATE TABLE user_art_impressions (
    user_id text NOT NULL REFERENCES users, artwork_id text NOT NULL REFERENCES art_sessions,
    viewed_at timestamptz, PRIMARY KEY (user_id, artwork_id)
);
"""
)
_LOOSE = (
    _PLAIN_USERS
    + _PLAIN_ARTWORKS
    + "CREATE TABLE user_art_impressions (user_id text, artwork_id text, viewed_at timestamptz);"
)
_TIED = (
    _PLAIN_USERS
    + _PLAIN_ARTWORKS
    + """
CREATE TABLE user_art_impressions (
    user_id text REFERENCES users, artwork_id text REFERENCES art_sessions, viewed_at timestamptz
);
"""
)
_FILL_PEOPLE = "INSERT INTO users SELECT id, created::timestamptz, note FROM given"
_FILL_PIECES = "INSERT INTO art_sessions SELECT id, created::timestamptz, owner, note FROM given"
_FILL_VIEWS = (
    "INSERT INTO user_art_impressions SELECT person, piece, viewed::timestamptz FROM given"
)
_PEOPLE = "SELECT id, NULL::timestamptz AS created_at FROM users"
_AGED_PEOPLE = "SELECT id, created_at FROM users"
_PIECES = "SELECT id, created_at, owner AS owner_id FROM art_sessions WHERE created_at IS NOT NULL"
_VIEWS = "SELECT user_id, artwork_id FROM user_art_impressions"


def _plain(
    name: str,
    tables: str,
    forms: tuple[CensusForm, ...],
    *,
    aged: bool = False,
    owned: bool = False,
    people_filtered: bool = False,
    pieces_filtered: bool = False,
) -> AppSchema:
    """A schema with the usual names, text ids, and times with a zone."""
    return AppSchema(
        name=name,
        spec=CatalogueSpec(
            artworks=ArtworksSpec(
                owner="owner" if owned else None, where=ON_SHOW if pieces_filtered else None
            ),
            users=UsersSpec(
                created_at="created_at" if aged else None,
                where=ON_SHOW if people_filtered else None,
            ),
        ),
        tables=tables,
        fill_people=_FILL_PEOPLE,
        fill_pieces=_FILL_PIECES,
        fill_views=_FILL_VIEWS,
        people=(_AGED_PEOPLE if aged else _PEOPLE)
        + (f" WHERE {_ON_SHOW}" if people_filtered else ""),
        pieces=_PIECES + (f" AND {_ON_SHOW}" if pieces_filtered else ""),
        views=_VIEWS,
        forms=forms,
        strict=tables is _STRICT,
        strangers=tables is _LOOSE,
        orphans=tables is _LOOSE,
        aged=aged,
        owned=owned,
        people_filtered=people_filtered,
        pieces_filtered=pieces_filtered,
    )


PLAIN = _plain("plain", _STRICT, _COUNTED)
LOOSE = _plain("loose", _LOOSE, _JOINED)
TIED = _plain("foreign keys alone", _TIED, _JOINED)
ARTWORKS_FILTERED = _plain("artworks filtered", _STRICT, _COUNTED, pieces_filtered=True)
USERS_FILTERED = _plain("users filtered", _STRICT, _JOINED, people_filtered=True)
AGED = _plain("users' age", _STRICT, _AGED, aged=True)
AGED_LOOSE = _plain(
    "users' age, loose and filtered",
    _LOOSE,
    _AGED,
    aged=True,
    people_filtered=True,
    pieces_filtered=True,
)
OWNED = _plain("owners", _LOOSE, _OWNED, owned=True, people_filtered=True)
OWNED_AGED = _plain("owners, users' age", _LOOSE, _OWNED, owned=True, aged=True)

_PARTITIONS = """
CREATE TABLE user_art_impressions (
    user_id text NOT NULL REFERENCES users, artwork_id text NOT NULL REFERENCES art_sessions,
    viewed_at timestamptz, PRIMARY KEY (artwork_id, user_id)
) PARTITION BY HASH (user_id);
CREATE TABLE views_0 PARTITION OF user_art_impressions FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE views_1 PARTITION OF user_art_impressions FOR VALUES WITH (MODULUS 2, REMAINDER 1);
"""
PARTITIONED = AppSchema(
    name="partitioned",
    spec=CatalogueSpec(),
    tables=_PLAIN_USERS
    + _PLAIN_ARTWORKS.replace("timestamptz", "timestamptz NOT NULL")
    + _PARTITIONS,
    fill_people=_FILL_PEOPLE,
    fill_pieces=_FILL_PIECES,
    fill_views=_FILL_VIEWS,
    people=_PEOPLE,
    pieces=_PIECES,
    views=_VIEWS,
    forms=_ALL,
    nullable=False,
)

APP_SCHEMAS = (
    APP,
    PLAIN,
    LOOSE,
    TIED,
    ARTWORKS_FILTERED,
    USERS_FILTERED,
    AGED,
    AGED_LOOSE,
    OWNED,
    OWNED_AGED,
    BERLIN,
    BIGINT,
    PARTITIONED,
    VIEWS,
)
