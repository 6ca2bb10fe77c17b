"""Apps whose ids or moments change their type after `init`, and galleries for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

TABLES = """
CREATE TABLE users (id {id} PRIMARY KEY);
CREATE TABLE art_sessions (id {id} PRIMARY KEY, created_at {moment} NOT NULL);
CREATE TABLE user_art_impressions (
    user_id {id} NOT NULL REFERENCES users, artwork_id {id} NOT NULL REFERENCES art_sessions,
    viewed_at {moment} NOT NULL, PRIMARY KEY (user_id, artwork_id)
);
"""
_FILL = """
CREATE FUNCTION key(n int) RETURNS {id} LANGUAGE sql IMMUTABLE AS $$ SELECT {key} $$;
CREATE FUNCTION ago(i interval) RETURNS {moment} LANGUAGE sql AS $$ SELECT {ago} $$;
INSERT INTO users SELECT key(n) FROM generate_series(1, 6) AS n;
INSERT INTO art_sessions SELECT key(n), ago(CASE
    WHEN n <= 7 THEN interval '30 days' WHEN n <= 9 THEN interval '1 day' ELSE interval '10 s' END)
FROM generate_series(1, 10) AS n;
INSERT INTO user_art_impressions SELECT key(n), key(1), ago('2 days')
FROM generate_series(1, 5) AS n;
ANALYZE users, art_sessions, user_art_impressions;
"""
"""Five of six users have seen the first of seven old artworks: 30 pairs are legacy."""
LEGACY = 30

_RETYPE = """
ALTER TABLE user_art_impressions DROP CONSTRAINT user_art_impressions_user_id_fkey,
    DROP CONSTRAINT user_art_impressions_artwork_id_fkey;
ALTER TABLE users ALTER COLUMN id TYPE {to} USING id{using};
ALTER TABLE art_sessions ALTER COLUMN id TYPE {to} USING id{using};
ALTER TABLE user_art_impressions ALTER COLUMN user_id TYPE {to} USING user_id{using},
    ALTER COLUMN artwork_id TYPE {to} USING artwork_id{using},
    ADD FOREIGN KEY (user_id) REFERENCES users,
    ADD FOREIGN KEY (artwork_id) REFERENCES art_sessions;
"""
_REDATE = """
ALTER TABLE art_sessions ALTER COLUMN created_at TYPE {to}
    USING created_at AT TIME ZONE 'Europe/Berlin';
ALTER TABLE user_art_impressions ALTER COLUMN viewed_at TYPE {to}
    USING viewed_at AT TIME ZONE 'Europe/Berlin';
"""
_NUMBERED = "'00000000-0000-4000-8000-' || lpad(n::text, 12, '0')"
_BERLIN = {"catalog": {"timezone": "Europe/Berlin"}}
IDS = (
    *("run.subject", "work.user_id", "backfilled_user.user_id", "quarantine.user_id"),
    *("backfilled_impression.user_id", "backfilled_impression.artwork_id"),
    *("quarantine.artwork_id", "tally_artwork.artwork_id", "tally_user.user_id"),
)
"""Our columns that hold ids, without those that hold a place among them."""


@dataclass(frozen=True)
class TypeChange:
    """What an app had, and how it changes that."""

    name: str
    change: str
    problem: str
    """Of the finding: types as they are and should be."""
    id: str = "bigint"
    key: str = "n::{id}"
    moment: str = "timestamptz"
    ago: str = "clock_timestamp() - i"
    columns: tuple[str, ...] = IDS
    """Those of ours that the finding names."""
    config: Mapping[str, object] = field(default_factory=dict)

    @property
    def tables(self) -> str:
        """The app's tables, filled."""
        names = {"id": self.id, "moment": self.moment, "ago": self.ago}
        key = self.key.format(**names)
        return TABLES.format(**names) + _FILL.format(**names, key=key)


TYPE_CHANGES = (
    TypeChange(
        "int to bigint",
        _RETYPE.format(to="bigint", using=""),
        "are integer, should be bigint",
        id="integer",
    ),
    TypeChange(
        "varchar to uuid",
        _RETYPE.format(to="uuid", using="::uuid"),
        "are character varying, should be uuid",
        id="varchar",
        key=_NUMBERED,
    ),
    TypeChange(
        "uuid to text",
        _RETYPE.format(to="text", using="::text"),
        "are uuid, should be text",
        id="uuid",
        key=f"({_NUMBERED})::uuid",
    ),
    TypeChange(
        "varchar(4) to text",
        _RETYPE.format(to="text", using=""),
        "are character varying(4), should be text",
        id="varchar(4)",
        key="'k' || n::text",
    ),
    TypeChange(
        "another collation",
        _RETYPE.format(to='text COLLATE "C"', using=""),
        'are text, should be text COLLATE pg_catalog."C"',
        id="text",
        key="CASE WHEN n % 2 = 0 THEN 'k' ELSE 'K' END || n::text",
    ),
    TypeChange(
        "timestamp to timestamptz",
        _REDATE.format(to="timestamptz"),
        "is timestamp without time zone, should be timestamp with time zone",
        moment="timestamp",
        ago="clock_timestamp() AT TIME ZONE 'Europe/Berlin' - i",
        columns=("backfilled_impression.viewed_at",),
        config=_BERLIN,
    ),
    TypeChange(
        "timestamptz to timestamp",
        _REDATE.format(to="timestamp(3)"),
        "is timestamp(3) with time zone, should be timestamp(3) without time zone",
        moment="timestamptz(3)",
        columns=("backfilled_impression.viewed_at",),
        config=_BERLIN,
    ),
)
INT_TO_BIGINT, VARCHAR_TO_UUID, TO_TIMESTAMPTZ = TYPE_CHANGES[0], TYPE_CHANGES[1], TYPE_CHANGES[5]
