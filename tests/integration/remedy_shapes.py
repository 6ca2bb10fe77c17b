"""Applications as they write, each in tables about which the doctor has something to propose.

Every value is given and none drawn, so that what was written can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Catalog = Mapping[str, Any]
_NONE: Catalog = {}

PEOPLE = """
CREATE TABLE users (id text PRIMARY KEY, name text);
INSERT INTO users VALUES ('u1', 'one'), ('u2', 'two'), ('u3', 'three');
"""
PIECES = """
CREATE TABLE art_sessions (id text PRIMARY KEY, created_at timestamptz NOT NULL);
INSERT INTO art_sessions VALUES ('a1', '2026-01-01Z'), ('a2', '2026-02-01Z'), ('a3', '2026-03-01Z');
"""
VIEWS = """
CREATE TABLE user_art_impressions (user_id text, artwork_id text, viewed_at timestamptz);
"""
SEEN = """
INSERT INTO user_art_impressions (user_id, artwork_id, viewed_at)
VALUES ('u1', 'a1', '2026-03-01Z'), ('u2', 'a1', '2026-03-02Z');
"""
SEEN_AGAIN = "INSERT INTO user_art_impressions VALUES ('u1', 'a1', '2026-03-03Z');"
BARE = PEOPLE + PIECES + VIEWS + SEEN
PAIR_KEY = "ALTER TABLE user_art_impressions ADD PRIMARY KEY (user_id, artwork_id);"
KEPT = BARE + PAIR_KEY
_MARKED: dict[str, Any] = {
    "impressions": {"counts": "viewed_at IS NOT NULL", "set": {"viewed_at": "viewed_at"}}
}
"""Rows are brought to count by their moment."""

ANONYMOUS = "INSERT INTO user_art_impressions VALUES (NULL, 'a2', '2026-04-01Z')"
STRANGER = "INSERT INTO user_art_impressions VALUES ('gone', 'a2', '2026-04-02Z')"
UPSERT = (
    "INSERT INTO user_art_impressions VALUES ('u1', 'a1', '2026-04-03Z'), ('u3', 'a2', NULL)"
    " ON CONFLICT (user_id, artwork_id) DO UPDATE SET viewed_at = excluded.viewed_at"
)
IF_NEW = (
    "INSERT INTO user_art_impressions SELECT 'u1', a.id, '2026-04-04Z' FROM art_sessions AS a"
    " WHERE NOT EXISTS (SELECT FROM user_art_impressions AS i"
    " WHERE i.user_id = 'u1' AND i.artwork_id = a.id)"
)
FORGET = "DELETE FROM user_art_impressions WHERE user_id = 'u2'"
LEAVE = "DELETE FROM users WHERE id = 'u1'"
TAKE_DOWN = "DELETE FROM art_sessions WHERE id = 'a1'"


@dataclass(frozen=True)
class Shape:
    """An application: its tables, and what it writes."""

    name: str
    tables: str
    writes: tuple[str, ...]
    proposed: frozenset[str] = frozenset()
    """Codes for which a statement or a setting is proposed, which ends the finding."""
    told: frozenset[str] = frozenset()
    """Codes for which there is none."""
    catalog: Catalog = field(default_factory=dict)
    role: str | None = None
    timezone: str = "UTC"
    """The TimeZone of every session, the application's and ours."""
    cleanup: str = "SELECT 1"


def _shape(
    name: str,
    tables: str,
    *writes: str,
    proposed: str = "",
    told: str = "",
    catalog: Catalog = _NONE,
    **more: str,
) -> Shape:
    return Shape(
        name,
        tables,
        writes,
        frozenset(proposed.split()),
        frozenset(told.split()),
        catalog,
        **more,
    )


LOGS = (
    _shape(
        "a log of views, some anonymous, some of users who are gone",
        BARE + SEEN_AGAIN,
        ANONYMOUS,
        ANONYMOUS,
        STRANGER,
        SEEN_AGAIN,
        LEAVE,
        TAKE_DOWN,
        FORGET,
        proposed="covering_index_missing artwork_index_missing never_analysed",
        told="pair_index_missing pair_nullable foreign_key_missing",
    ),
    _shape(
        "machines among the visitors, numbered below 0",
        "CREATE TABLE users (id int PRIMARY KEY); INSERT INTO users VALUES (-1), (1), (2);"
        "CREATE TABLE art_sessions (id int PRIMARY KEY, created_at timestamptz NOT NULL);"
        "INSERT INTO art_sessions VALUES (1, '2026-01-01Z'), (2, '2026-02-01Z');"
        "CREATE TABLE user_art_impressions (user_id int REFERENCES users,"
        " artwork_id int REFERENCES art_sessions, viewed_at timestamptz,"
        " PRIMARY KEY (user_id, artwork_id));"
        "INSERT INTO user_art_impressions VALUES (1, 1, '2026-03-01Z');",
        "INSERT INTO user_art_impressions VALUES (-1, 1, '2026-04-01Z'), (2, 2, NULL)",
        proposed="ids_below_zero",
    ),
    _shape(
        "one row a pair, which nothing promises",
        BARE,
        ANONYMOUS,
        ANONYMOUS,
        STRANGER,
        IF_NEW,
        "UPDATE user_art_impressions SET viewed_at = '2026-05-01Z' WHERE user_id = 'u1'",
        LEAVE,
        FORGET,
        proposed="pair_index_missing",
        told="pair_nullable foreign_key_missing",
    ),
    _shape(
        "rows deleted softly, and made again",
        BARE
        + "ALTER TABLE user_art_impressions ADD hidden_at date;"
        + "CREATE UNIQUE INDEX shown ON user_art_impressions (user_id, artwork_id)"
        " WHERE hidden_at IS NULL;",
        "UPDATE user_art_impressions SET hidden_at = '2026-04-01'",
        "INSERT INTO user_art_impressions VALUES ('u1', 'a1', '2026-04-02Z')"
        " ON CONFLICT (user_id, artwork_id) WHERE hidden_at IS NULL DO NOTHING",
        told="pair_index_partial",
    ),
    _shape(
        "one row a pair and day",
        BARE + "ALTER TABLE user_art_impressions ADD UNIQUE (user_id, artwork_id, viewed_at);",
        UPSERT.replace("artwork_id)", "artwork_id, viewed_at)"),
        STRANGER,
        told="pair_index_wider",
    ),
    _shape(
        "partitioned by time",
        PEOPLE
        + PIECES
        + VIEWS.replace(");", ", UNIQUE (user_id, artwork_id, viewed_at))")
        + "PARTITION BY RANGE (viewed_at);"
        "CREATE TABLE early PARTITION OF user_art_impressions"
        " FOR VALUES FROM (MINVALUE) TO ('2026-04-01Z');"
        "CREATE TABLE late PARTITION OF user_art_impressions DEFAULT;" + SEEN,
        UPSERT.replace("artwork_id)", "artwork_id, viewed_at)").replace("NULL", "'2026-01-01Z'"),
        told="pair_index_wider",
    ),
    _shape(
        "partitioned by user, without an index",
        PEOPLE
        + PIECES
        + VIEWS.replace(";", "")
        + "PARTITION BY HASH (user_id); CREATE TABLE views_0 PARTITION OF user_art_impressions"
        " FOR VALUES WITH (MODULUS 1, REMAINDER 0);" + SEEN,
        IF_NEW,
        STRANGER,
        LEAVE,
        told="foreign_key_missing",
    ),
    _shape(
        "old rows in a table that inherits",
        KEPT
        + "CREATE TABLE old () INHERITS (user_art_impressions);"
        + SEEN_AGAIN.replace("INTO user_art_impressions", "INTO old"),
        SEEN_AGAIN.replace("INTO user_art_impressions", "INTO old"),
        UPSERT,
        told="pair_index_inherited",
    ),
)

KEYS = (
    _shape(
        "pairs that are there twice until COMMIT",
        BARE + "ALTER TABLE user_art_impressions"
        " ADD UNIQUE (user_id, artwork_id) DEFERRABLE INITIALLY DEFERRED;",
        "UPDATE user_art_impressions SET user_id = 'u2' WHERE user_id = 'u1'",
        "DELETE FROM user_art_impressions WHERE viewed_at = '2026-03-02Z'",
        told="pair_index_deferrable",
    ),
    _shape(
        "names in any case",
        BARE + "CREATE UNIQUE INDEX ON user_art_impressions (lower(user_id), artwork_id);",
        "INSERT INTO user_art_impressions VALUES ('U1', 'a1', NULL), ('U2', 'a2', NULL)"
        " ON CONFLICT (lower(user_id), artwork_id) DO NOTHING",
        IF_NEW,
        proposed="pair_index_expression",
    ),
    _shape(
        "an index that was never finished",
        BARE
        + "CREATE UNIQUE INDEX half ON user_art_impressions (user_id, artwork_id);"
        + "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'half'::regclass;",
        IF_NEW,
        ANONYMOUS,
        proposed="pair_index_invalid",
    ),
    _shape(
        "an index that was never finished, because of what is there",
        BARE
        + "CREATE UNIQUE INDEX half ON user_art_impressions (user_id, artwork_id);"
        + "UPDATE pg_index SET indisvalid = false, indisready = false, indisunique = true"
        " WHERE indexrelid = 'half'::regclass;" + SEEN_AGAIN,
        SEEN_AGAIN,
        ANONYMOUS,
        told="pair_index_invalid",
    ),
    _shape(
        "only what a user saw last",
        KEPT + "CREATE UNIQUE INDEX newest ON user_art_impressions (user_id);",
        "INSERT INTO user_art_impressions VALUES ('u1', 'a2', '2026-05-01Z') ON CONFLICT (user_id)"
        " DO UPDATE SET artwork_id = excluded.artwork_id, viewed_at = excluded.viewed_at",
        told="other_unique_index",
    ),
    _shape(
        "looked up by artwork only",
        BARE + "CREATE UNIQUE INDEX ON user_art_impressions (artwork_id, user_id);",
        UPSERT,
        ANONYMOUS,
        proposed="user_index_missing",
    ),
)

REFERENCES = (
    _shape(
        "a foreign key that was added later",
        KEPT + "ALTER TABLE user_art_impressions"
        " ADD FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE NOT VALID;",
        UPSERT,
        LEAVE,
        TAKE_DOWN,
        proposed="foreign_key_not_valid",
    ),
    _shape(
        "a foreign key that was added later, over rows of users who are gone",
        KEPT + STRANGER + "; ALTER TABLE user_art_impressions"
        " ADD FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE NOT VALID;",
        UPSERT,
        "UPDATE user_art_impressions SET viewed_at = '2026-05-02Z' WHERE user_id = 'gone'",
        told="foreign_key_not_valid",
    ),
    _shape(
        "a foreign key that is switched off",
        KEPT
        + "ALTER TABLE user_art_impressions ADD FOREIGN KEY (user_id) REFERENCES users;"
        + "ALTER TABLE user_art_impressions DISABLE TRIGGER ALL;",
        STRANGER,
        told="foreign_key_not_valid",
    ),
    _shape(
        "rows of people of whom only some are users",
        "CREATE TABLE people (nr text PRIMARY KEY);"
        "INSERT INTO people VALUES ('u1'), ('u2'), ('p');"
        + KEPT
        + "ALTER TABLE user_art_impressions ADD FOREIGN KEY (user_id) REFERENCES people;"
        "INSERT INTO user_art_impressions VALUES ('p', 'a1', NULL);",
        "INSERT INTO user_art_impressions VALUES ('p', 'a2', '2026-05-01Z')",
        FORGET,
        told="foreign_key_elsewhere",
    ),
    _shape(
        "ids of two types",
        PIECES + "CREATE TABLE users (id uuid PRIMARY KEY);"
        "INSERT INTO users VALUES ('00000000-0000-4000-8000-000000000001');"
        + VIEWS
        + "INSERT INTO user_art_impressions SELECT id, 'a1' FROM users;",
        STRANGER,
        "INSERT INTO user_art_impressions SELECT upper(id::text), 'a2' FROM users",
        told="keys_not_comparable",
    ),
    _shape(
        "ids of two widths",
        "CREATE TABLE users (id integer PRIMARY KEY); INSERT INTO users VALUES (1), (2);"
        "CREATE TABLE art_sessions (id bigint PRIMARY KEY, created_at timestamptz);"
        "INSERT INTO art_sessions VALUES (1, '2026-01-01Z');"
        "CREATE TABLE user_art_impressions (user_id bigint, artwork_id bigint,"
        " viewed_at timestamptz, PRIMARY KEY (user_id, artwork_id));",
        "INSERT INTO user_art_impressions VALUES (9223372036854775807, 1, NULL)",
        told="key_types_differ",
    ),
    _shape(
        "ids without an order",
        "CREATE TABLE users (id json, name text); INSERT INTO users VALUES ('{\"n\":1}', 'x');"
        + PIECES
        + VIEWS.replace("user_id text", "user_id json"),
        "INSERT INTO users VALUES ('{\"n\": 2}', 'y')",
        "INSERT INTO user_art_impressions SELECT id, 'a1', NULL FROM users",
        told="key_not_orderable",
    ),
)

_IDS = """
CREATE TABLE users (id text);
INSERT INTO users VALUES ('u1'), ('u2'), ({});
"""
IDS = (
    _shape(
        "users who are there twice",
        _IDS.format("'u2'") + PIECES + VIEWS + PAIR_KEY,
        "INSERT INTO users VALUES ('u1')",
        UPSERT,
        told="ids_not_unique",
    ),
    _shape(
        "users without an id",
        _IDS.format("NULL") + PIECES + VIEWS + PAIR_KEY,
        "INSERT INTO users VALUES (NULL), ('u4')",
        UPSERT,
        proposed="ids_null",
    ),
    _shape(
        "users of whom nothing says that they are one each",
        _IDS.format("'u3'") + PIECES + VIEWS + PAIR_KEY,
        "INSERT INTO users VALUES ('u1')",
        UPSERT,
        told="ids_not_provably_unique",
    ),
)

_MOMENTS = """
CREATE TABLE art_sessions (id text PRIMARY KEY, created_at {type});
INSERT INTO art_sessions VALUES ('a1', {first}), ('a2', {second}), ('a3', {second});
CREATE TABLE user_art_impressions (user_id text, artwork_id text, viewed_at {type},
    PRIMARY KEY (user_id, artwork_id));
INSERT INTO user_art_impressions VALUES ('u1', 'a1', {second}), ('u2', 'a2', {first});
"""


def moments(declared: str, first: str, second: str) -> str:
    """Tables in which two moments stand in columns of the declared type."""
    return PEOPLE + _MOMENTS.format(type=declared, first=first, second=second)


def _moments(declared: str, first: str, second: str, told: str = "not_a_moment") -> Shape:
    return _shape(
        f"moments as {declared}: {second}",
        moments(declared, first, second),
        f"INSERT INTO art_sessions VALUES ('a4', {second})",
        f"INSERT INTO user_art_impressions VALUES ('u1', 'a1', {second}), ('u3', 'a1', {first})"
        " ON CONFLICT (user_id, artwork_id) DO UPDATE SET viewed_at = excluded.viewed_at",
        f"UPDATE user_art_impressions SET viewed_at = {first} WHERE viewed_at > {first}",
        told=told,
    )


MOMENTS = (
    _moments("bigint", "1767225600000", "1772323200000"),
    _moments("double precision", "1767225600.5", "1772323200.25"),
    _moments("integer", "20260101", "20260301"),
    _moments("text", "'2026-01-01T12:00:00Z'", "'2026-03-01T12:00:00+02:00'"),
    _moments("text", "'long ago'", "'yesterday'"),
    _moments("date", "'2026-01-01'", "'2026-03-01'", "moment_is_date"),
    _shape(
        "moments on the clock of the session",
        KEPT + "ALTER TABLE user_art_impressions ALTER viewed_at TYPE timestamp USING '2026-03-01',"
        " ALTER viewed_at SET DEFAULT date_trunc('year', now());",
        "INSERT INTO user_art_impressions (user_id, artwork_id) VALUES ('u3', 'a3')",
        told="default_in_other_zone moment_without_zone",
        timezone="Asia/Tokyo",
    ),
)

WRITING = (
    _shape(
        "rules that keep a copy",
        KEPT
        + "CREATE TABLE copy (user_id text);"
        + "CREATE RULE copied AS ON INSERT TO user_art_impressions"
        " DO ALSO INSERT INTO copy VALUES (NEW.user_id);",
        STRANGER,
        told="write_rules",
    ),
    _shape(
        "triggers and publications",
        KEPT + "CREATE TABLE counter (views int); INSERT INTO counter VALUES (0);"
        "CREATE FUNCTION counted() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN UPDATE counter SET views = views + 1; RETURN NEW; END';"
        "CREATE TRIGGER counts AFTER INSERT ON user_art_impressions"
        " FOR EACH ROW EXECUTE FUNCTION counted();"
        "CREATE PUBLICATION feed FOR TABLE user_art_impressions WITH (publish = 'insert');",
        UPSERT,
        FORGET,
        told="insert_triggers publications",
        cleanup="DROP PUBLICATION feed",
    ),
    _shape(
        "triggers on update, and rows that are brought to count",
        KEPT + "CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN RETURN NEW; END';"
        "CREATE TRIGGER touches BEFORE UPDATE ON user_art_impressions"
        " FOR EACH ROW EXECUTE FUNCTION touched();",
        UPSERT,
        FORGET,
        told="update_triggers",
        catalog=_MARKED,
    ),
    _shape(
        "views of everything",
        KEPT + "CREATE VIEW seen AS SELECT * FROM user_art_impressions;",
        UPSERT,
        proposed="artwork_index_missing",
        catalog={"impressions": {"table": "seen"}},
    ),
    _shape(
        "a view of the rows that count",
        KEPT
        + "CREATE VIEW seen AS SELECT * FROM user_art_impressions WHERE viewed_at IS NOT NULL;",
        UPSERT,
        told="view_hides_pairs",
        catalog={"impressions": {"table": "seen"}},
    ),
    _shape(
        "a filter that leaves out rows of the pair's index",
        KEPT,
        UPSERT,
        told="where_hides_pairs",
        catalog={"impressions": {"where": "viewed_at IS NOT NULL"}},
    ),
    _shape(
        "a view that computes",
        KEPT + "CREATE VIEW seen AS SELECT lower(user_id) AS user_id, artwork_id, viewed_at"
        " FROM user_art_impressions;",
        UPSERT,
        told="impressions_not_a_table",
        catalog={"impressions": {"table": "seen"}},
    ),
    _shape(
        "columns that the application fills",
        KEPT + "CREATE TABLE wings (id int PRIMARY KEY); INSERT INTO wings VALUES (1), (2);"
        "ALTER TABLE art_sessions ADD wing_id int NOT NULL DEFAULT 1 REFERENCES wings;"
        "ALTER TABLE user_art_impressions ADD wing_id int NOT NULL DEFAULT 1 REFERENCES wings,"
        " ADD kind text NOT NULL DEFAULT 'print', ADD tenant_id uuid NOT NULL DEFAULT"
        " '00000000-0000-4000-8000-000000000001', ADD updated_at timestamp NOT NULL DEFAULT now();"
        "ALTER TABLE user_art_impressions ALTER wing_id DROP DEFAULT, ALTER kind DROP DEFAULT,"
        " ALTER tenant_id DROP DEFAULT, ALTER updated_at DROP DEFAULT;"
        "UPDATE user_art_impressions SET updated_at = '2026-03-01';",
        "INSERT INTO user_art_impressions VALUES ('u1', 'a2', '2026-05-01Z', 2, 'print',"
        " '00000000-0000-4000-8000-000000000002', '2026-05-01')",
        told="column_without_default",
    ),
    _shape(
        "the moment at which a row is made",
        KEPT + "ALTER TABLE user_art_impressions ADD created_at timestamp, ADD updated_on date;"
        "UPDATE user_art_impressions SET created_at = '2026-03-01', updated_on = '2026-03-01';"
        "ALTER TABLE user_art_impressions ALTER created_at SET NOT NULL,"
        " ALTER updated_on SET NOT NULL;",
        "INSERT INTO user_art_impressions VALUES ('u1', 'a2', NULL, '2026-05-01', '2026-05-02')",
        proposed="column_without_default",
        timezone="Europe/Berlin",
    ),
    _shape(
        "a clock in a column without time zone",
        KEPT + "ALTER TABLE user_art_impressions ADD created_at timestamp;",
        "INSERT INTO user_art_impressions VALUES ('u1', 'a2', NULL, '2026-05-01')",
        proposed="default_in_session_zone",
        catalog={"impressions": {"defaults": {"created_at": "now()"}}},
        timezone="Europe/Berlin",
    ),
    _shape(
        "ids that the application draws",
        BARE + "ALTER TABLE user_art_impressions ADD id text; UPDATE user_art_impressions"
        " SET id = overlay(md5(user_id) placing '4' from 13)::uuid;"
        "ALTER TABLE user_art_impressions ADD PRIMARY KEY (id), ADD UNIQUE (user_id, artwork_id);",
        "INSERT INTO user_art_impressions VALUES ('u1', 'a2', NULL, md5('u1a2')::uuid)",
        proposed="column_without_default",
    ),
    _shape(
        "ids that the application makes up",
        BARE + "ALTER TABLE user_art_impressions ADD id text; UPDATE user_art_impressions"
        " SET id = 'view ' || user_id; ALTER TABLE user_art_impressions ADD PRIMARY KEY (id),"
        " ADD UNIQUE (user_id, artwork_id);",
        "INSERT INTO user_art_impressions VALUES ('u1', 'a2', NULL, 'view 7')",
        told="column_without_default",
    ),
)

NAMES = (
    _shape(
        "names in camel case",
        (PEOPLE + PIECES)
        .replace("users", '"User"')
        .replace("art_sessions", '"ArtSessions"')
        .replace("created_at", '"createdAt"')
        + 'CREATE TABLE "UserArtImpressions" ("userId" text, "artworkId" text,'
        ' "viewedAt" timestamptz, PRIMARY KEY ("userId", "artworkId"));',
        """INSERT INTO "UserArtImpressions" VALUES ('u1', 'a1', NULL)""",
        proposed="table_missing",
    ),
    _shape(
        "columns in camel case",
        PEOPLE
        + PIECES.replace("created_at", '"createdAt"')
        + 'CREATE TABLE user_art_impressions ("userId" text, "artworkId" text,'
        ' "viewedAt" timestamptz, PRIMARY KEY ("userId", "artworkId"));',
        "INSERT INTO user_art_impressions VALUES ('u1', 'a1', NULL)",
        proposed="column_missing",
    ),
    _shape(
        "names that are only alike",
        (PEOPLE + PIECES).replace("users", "user_roles").replace("created_at", "updated_at")
        + VIEWS,
        "INSERT INTO user_roles VALUES ('u9', 'nine')",
        "UPDATE art_sessions SET updated_at = '2026-09-01Z'",
        told="table_missing column_missing",
    ),
    _shape(
        "users of whom is known when they came",
        KEPT + "ALTER TABLE users ADD created_at timestamptz;",
        UPSERT,
        LEAVE,
        proposed="user_age_unused",
    ),
)

READER = "remedy_reader"
_SCHEMA = f"GRANT USAGE ON SCHEMA {{schema}} TO {READER};"
_READ = f"GRANT SELECT ON ALL TABLES IN SCHEMA {{schema}} TO {READER};"
_WRITE = f"GRANT INSERT, DELETE ON user_art_impressions TO {READER};"
_EVERYTHING = f"GRANT ALL ON ALL TABLES IN SCHEMA {{schema}} TO {READER};"
_NO_SEQUENCE = "ALTER TABLE user_art_impressions ADD serial bigserial;" + _READ + _WRITE
RIGHTS = (
    _shape(
        "a role without rights",
        KEPT + _SCHEMA,
        UPSERT,
        FORGET,
        LEAVE,
        proposed="no_select no_insert no_delete",
        role=READER,
    ),
    _shape(
        "a role that may not update",
        KEPT + _SCHEMA + _READ + _WRITE,
        UPSERT,
        FORGET,
        proposed="no_update",
        catalog=_MARKED,
        role=READER,
    ),
    _shape(
        "a role that may not read what a filter reads",
        KEPT
        + _SCHEMA
        + _EVERYTHING
        + "CREATE TABLE members (id text); INSERT INTO members VALUES ('u1'), ('u2');",
        UPSERT,
        FORGET,
        "DELETE FROM members WHERE id = 'u1'",
        proposed="no_select_elsewhere",
        catalog={"users": {"where": "id IN (SELECT id FROM members)"}},
        role=READER,
    ),
    _shape(
        "a role that may not draw from a sequence",
        KEPT + _SCHEMA + _NO_SEQUENCE,
        UPSERT,
        FORGET,
        proposed="no_sequence_usage",
        role=READER,
    ),
    _shape(
        "a role that may draw from a sequence, and not read it",
        KEPT
        + _SCHEMA
        + "ALTER TABLE user_art_impressions ADD serial bigint GENERATED BY DEFAULT AS IDENTITY;"
        f"GRANT SELECT ON users, art_sessions TO {READER};"
        f"GRANT SELECT (user_id, artwork_id, viewed_at) ON user_art_impressions TO {READER};"
        + _WRITE,
        UPSERT,
        FORGET,
        proposed="sequence_hidden",
        role=READER,
    ),
    _shape(
        "a role that row security lets update nothing",
        KEPT + _SCHEMA + _EVERYTHING + "ALTER TABLE user_art_impressions ENABLE ROW LEVEL SECURITY;"
        f"CREATE POLICY r ON user_art_impressions FOR SELECT TO {READER} USING (true);"
        f"CREATE POLICY a ON user_art_impressions FOR INSERT TO {READER} WITH CHECK (true);"
        f"CREATE POLICY w ON user_art_impressions FOR UPDATE TO {READER} USING (true)"
        " WITH CHECK (viewed_at IS NULL);"
        f"CREATE POLICY d ON user_art_impressions FOR DELETE TO {READER} USING (true);",
        UPSERT,
        FORGET,
        told="row_security",
        catalog=_MARKED,
        role=READER,
    ),
    _shape(
        "a role that row security hides the users from",
        KEPT + _SCHEMA + _EVERYTHING + "ALTER TABLE users ENABLE ROW LEVEL SECURITY;",
        UPSERT,
        FORGET,
        LEAVE,
        proposed="row_security",
        role=READER,
    ),
)

SUSPICIONS = (
    _shape(
        "rows that are no views, users and artworks that are not in use",
        KEPT + "ALTER TABLE user_art_impressions ADD seen boolean;"
        "UPDATE user_art_impressions SET seen = user_id = 'u1';"
        "ALTER TABLE art_sessions ADD archived boolean NOT NULL DEFAULT false;"
        "UPDATE art_sessions SET archived = id = 'a3';"
        "ALTER TABLE users ADD deleted_at timestamptz;"
        "UPDATE users SET deleted_at = '2026-05-01Z' WHERE id = 'u3';",
        UPSERT,
        "INSERT INTO user_art_impressions VALUES ('u2', 'a2', '2026-04-05Z', false)",
        "UPDATE art_sessions SET archived = NOT archived",
        "UPDATE users SET deleted_at = '2026-05-02Z' WHERE id = 'u2'",
        LEAVE,
        proposed="rows_not_in_use",
        told="rows_not_views",
    ),
    _shape(
        "users who are a part of the people, some of whom have left",
        KEPT + "CREATE TABLE people (id text PRIMARY KEY, closed boolean NOT NULL);"
        "INSERT INTO people SELECT id, id = 'u3' FROM users;"
        "ALTER TABLE users ADD FOREIGN KEY (id) REFERENCES people;",
        UPSERT,
        "UPDATE people SET closed = NOT closed",
        "INSERT INTO people VALUES ('u9', false)",
        LEAVE,
        proposed="parents_not_in_use",
    ),
    _shape(
        "pairs that a table lists",
        KEPT + "CREATE TABLE shelves (user_id text, artwork_id text);"
        "INSERT INTO shelves SELECT u.id, a.id FROM users AS u, art_sessions AS a;",
        UPSERT,
        "INSERT INTO shelves VALUES ('u1', 'a1'), ('u1', 'a1'), (NULL, NULL)",
        "DELETE FROM shelves WHERE user_id = 'u1'",
        proposed="through_index_missing",
        catalog={"pairs": {"through": {"table": "shelves"}}},
    ),
    _shape(
        "tenants that never see each other's",
        """
        CREATE TABLE tenants (id int PRIMARY KEY);
        INSERT INTO tenants VALUES (1), (2);
        CREATE TABLE users (id text PRIMARY KEY, tenant_id int REFERENCES tenants);
        INSERT INTO users SELECT 'u' || n, 1 + n % 2 FROM generate_series(1, 20) AS n;
        CREATE TABLE art_sessions (
          id text PRIMARY KEY, created_at timestamptz NOT NULL, tenant_id int REFERENCES tenants
        );
        INSERT INTO art_sessions SELECT 'a' || n, '2026-01-01Z', 1 + n % 2
          FROM generate_series(1, 20) AS n;
        CREATE TABLE user_art_impressions (
          user_id text, artwork_id text, viewed_at timestamptz, PRIMARY KEY (user_id, artwork_id)
        );
        INSERT INTO user_art_impressions SELECT u.id, a.id, '2026-02-01Z'
          FROM users AS u JOIN art_sessions AS a USING (tenant_id);
        """,
        "INSERT INTO users VALUES ('u99', 2), ('u98', NULL)",
        "INSERT INTO user_art_impressions VALUES ('u99', 'a1', '2026-03-02Z')",
        "UPDATE users SET tenant_id = 1 WHERE id = 'u99'",
        LEAVE,
        proposed="nobody_crosses",
    ),
    _shape(
        "a history that users may clear",
        """
        CREATE TABLE users (
          id text PRIMARY KEY, joined_at timestamptz NOT NULL, cleared_at timestamptz
        );
        INSERT INTO users
          SELECT 'u' || n, '2025-01-01Z', CASE WHEN n % 4 = 0 THEN timestamptz '2026-01-20Z' END
          FROM generate_series(1, 20) AS n;
        CREATE TABLE art_sessions (id text PRIMARY KEY, created_at timestamptz NOT NULL);
        INSERT INTO art_sessions
          SELECT 'a' || n, timestamptz '2026-01-01Z' + n * interval '1 day'
          FROM generate_series(1, 40) AS n;
        CREATE TABLE user_art_impressions (
          user_id text, artwork_id text, viewed_at timestamptz, PRIMARY KEY (user_id, artwork_id)
        );
        INSERT INTO user_art_impressions SELECT u.id, a.id, a.created_at
          FROM users AS u, art_sessions AS a
          WHERE u.cleared_at IS NULL OR a.created_at > u.cleared_at;
        """,
        "INSERT INTO users VALUES ('u99', '2026-03-01Z', NULL)",
        "INSERT INTO user_art_impressions VALUES ('u99', 'a1', '2026-03-02Z')",
        "UPDATE users SET cleared_at = '2026-03-03Z' WHERE id = 'u99'",
        "DELETE FROM user_art_impressions WHERE user_id = 'u99'",
        LEAVE,
        proposed="nothing_viewed_before",
    ),
)

SHAPES = (*LOGS, *KEYS, *REFERENCES, *IDS, *MOMENTS, *WRITING, *NAMES, *RIGHTS, *SUSPICIONS)
