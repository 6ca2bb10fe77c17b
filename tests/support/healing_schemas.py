"""Schemas that are healed, and such as are refused, each with what the doctor says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from checks.spec import CatalogueSpec, ImpressionsSpec
from tests.support.app_schema import AppSchema
from tests.support.paired_schemas import SAME, THROUGH_SINCE
from tests.support.schema_matrix import (
    AGED,
    AGED_LOOSE,
    APP,
    ARTWORKS_FILTERED,
    BERLIN,
    BIGINT,
    LOOSE,
    OWNED,
    OWNED_AGED,
    PARTITIONED,
    PLAIN,
    USERS_FILTERED,
)

DEFAULTS = replace(
    APP,
    name="impressions whose columns want values",
    spec=CatalogueSpec(
        impressions=ImpressionsSpec(
            defaults={
                "id": "gen_random_uuid()::text",
                "version": "(7 % 4) -- 100%",
                "source": "'backfill'",
            }
        )
    ),
    tables=APP.tables
    + "ALTER TABLE user_art_impressions ALTER id DROP DEFAULT, ALTER version DROP DEFAULT,"
    " ADD COLUMN source text NOT NULL;",
    fill_views="INSERT INTO user_art_impressions"
    " (id, version, source, user_id, artwork_id, viewed_at)"
    " SELECT gen_random_uuid(), 1, 'app', person, piece, viewed::timestamp FROM given",
)
MILLISECONDS = replace(
    BERLIN,
    name="camel case, moments in milliseconds",
    tables=BERLIN.tables.replace(" timestamp", " timestamptz(3)"),
    fill_people=BERLIN.fill_people.replace("timestamp", "timestamptz"),
    fill_pieces=BERLIN.fill_pieces.replace("timestamp", "timestamptz"),
    fill_views=BERLIN.fill_views.replace("timestamp", "timestamptz"),
    people=BERLIN.people.replace("AT TIME ZONE 'Europe/Berlin'", ""),
    pieces=BERLIN.pieces.replace("AT TIME ZONE 'Europe/Berlin'", ""),
    stored=PLAIN.stored,
)
_SEEN = "INSERT INTO user_art_impressions (user_id, artwork_id, viewed_at) "
SERIAL = replace(
    PLAIN,
    name="numbered by a sequence",
    tables=PLAIN.tables + "ALTER TABLE user_art_impressions ADD COLUMN id bigserial NOT NULL;",
    fill_views=_SEEN + "SELECT person, piece, viewed::timestamptz FROM given",
)
KEYS = (
    "CREATE UNIQUE INDEX ON user_art_impressions (user_id, artwork_id);"
    "CREATE INDEX ON user_art_impressions (artwork_id);"
)
KEYED = replace(LOOSE, name="no foreign keys, orphans", tables=LOOSE.tables + KEYS)
ANNOUNCED = replace(
    APP,
    name="triggers and a publication",
    tables=APP.tables
    + """
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER announce BEFORE INSERT ON user_art_impressions
    FOR EACH ROW EXECUTE FUNCTION tell();
CREATE PUBLICATION feed FOR TABLE user_art_impressions;
""",
)
GUARDED = replace(
    PARTITIONED,
    name="row security, opened by what init prints",
    tables=PARTITIONED.tables
    + """
ALTER TABLE users ENABLE ROW LEVEL SECURITY;
ALTER TABLE art_sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE user_art_impressions ENABLE ROW LEVEL SECURITY;
CREATE POLICY everybodys ON art_sessions FOR SELECT USING (true);
CREATE POLICY own ON user_art_impressions USING (user_id = current_setting('app.user'));
""",
)


KEYED_LIST = replace(
    THROUGH_SINCE, tables=THROUGH_SINCE.tables + KEYS, strict=True, orphans=False, strangers=False
)


def _strict(schema: AppSchema) -> AppSchema:
    """The schema with keys that healing requires."""
    return replace(schema, tables=PLAIN.tables, strict=True, orphans=False, strangers=False)


HEALED = (
    *(APP, DEFAULTS, PLAIN, SERIAL, KEYED, ANNOUNCED, ARTWORKS_FILTERED, USERS_FILTERED, AGED),
    *(BERLIN, MILLISECONDS, BIGINT, PARTITIONED, GUARDED),
    *(_strict(AGED_LOOSE), _strict(OWNED), _strict(OWNED_AGED)),
    *(SAME, KEYED_LIST),
)
WARNED: Mapping[str, frozenset[str]] = {
    ANNOUNCED.name: frozenset({"insert_triggers", "publications"}),
}
"""What the doctor warns of, by the schema's name; of these, nothing elsewhere."""
WARNINGS = frozenset().union(*WARNED.values())


@dataclass(frozen=True)
class Refused:
    """A schema in which nothing may be written, what is said instead, and what mends it."""

    name: str
    tables: str
    says: str
    mends: str


_UNIQUE = "CREATE UNIQUE INDEX ON user_art_impressions (user_id, artwork_id)"
REFUSED = (
    Refused("no unique index", LOOSE.tables, "CREATE UNIQUE INDEX CONCURRENTLY", _UNIQUE),
    Refused(
        "a partial unique index",
        LOOSE.tables + "CREATE UNIQUE INDEX part ON user_art_impressions (user_id, artwork_id)"
        " WHERE viewed_at IS NOT NULL;",
        "has a WHERE clause",
        _UNIQUE,
    ),
    Refused(
        "an invalid unique index",
        LOOSE.tables + "CREATE UNIQUE INDEX half ON user_art_impressions (user_id, artwork_id);"
        "UPDATE pg_index SET indisvalid = FALSE WHERE indexrelid = 'half'::regclass;",
        "REINDEX INDEX CONCURRENTLY",
        "REINDEX INDEX half",
    ),
    Refused(
        "a column that wants a value",
        APP.tables + "ALTER TABLE user_art_impressions ALTER version DROP DEFAULT;",
        "impressions.defaults",
        "ALTER TABLE user_art_impressions ALTER version SET DEFAULT 1",
    ),
)
