"""Every hall that the census is proved in."""

from __future__ import annotations

from checks.census import CensusForm
from checks.spec import ArtworksSpec, CatalogueSpec, UsersSpec
from monitor.demo.gallery import SCHEMA
from tests.support.halls import Hall, Stored
from tests.support.odd_halls import BERLIN, BIGINT, VIEWS

_JOINED = (CensusForm.BY_ARTWORK_JOINED, CensusForm.BY_USER_AGE)
_COUNTED = (CensusForm.BY_ARTWORK, *_JOINED)
_ALL = (CensusForm.BY_TOTAL, *_COUNTED)
_AGED = (CensusForm.BY_USER_AGE,)
_OWNED = (CensusForm.BY_OWNER,)

# What the operator might write: a percent sign, braces, quotes, and an end that swallows brackets.
ON_SHOW = "note NOT LIKE '100%{off}' -- 50% {} (of \"it"
_ON_SHOW = "note <> '100%{off}'"


def _odd(number: int) -> str:
    return f"it's {number} %s {{user}}"


APP = Hall(
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
) -> Hall:
    """A hall with the usual names, text ids, and times with a zone."""
    return Hall(
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
PARTITIONED = Hall(
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

HALLS = (
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
