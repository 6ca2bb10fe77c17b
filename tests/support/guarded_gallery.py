"""A gallery whose three tables have row security, as its app's privacy wants it."""

from __future__ import annotations

from checks.spec import ArtworksSpec, CatalogueSpec, ImpressionsSpec, UsersSpec
from tests.support.roles import SERVICE

APPS_ROLE = "gallery_app_of_tests"
SPEC = CatalogueSpec(
    artworks=ArtworksSpec(table="artworks", created_at="hung_at", where="on_show"),
    users=UsersSpec(table="visitors"),
    impressions=ImpressionsSpec(
        table="sightings", user="visitor_id", artwork="artwork_id", viewed_at="seen_at"
    ),
)
CATALOG = {
    "artworks": {"table": "artworks", "created_at": "hung_at", "where": "on_show"},
    "users": {"table": "visitors"},
    "impressions": {
        "table": "sightings",
        "user": "visitor_id",
        "artwork": "artwork_id",
        "viewed_at": "seen_at",
    },
}
"""The same, as config.yaml says it."""
GUARDED = f"""
DO $$ BEGIN
    IF to_regrole('{APPS_ROLE}') IS NULL THEN CREATE ROLE {APPS_ROLE}; END IF;
    IF to_regrole('conservator_reader') IS NULL THEN CREATE ROLE conservator_reader; END IF;
    IF to_regrole('conservator_healer') IS NULL THEN CREATE ROLE conservator_healer; END IF;
    IF to_regrole('{SERVICE}') IS NULL THEN CREATE ROLE {SERVICE} LOGIN; END IF;
END $$;
GRANT conservator_healer TO {SERVICE};
CREATE FUNCTION whoami() RETURNS int LANGUAGE sql STABLE
    AS $$ SELECT nullif(current_setting('gallery.visitor', true), '')::int $$;
CREATE TABLE visitors (id int PRIMARY KEY, joined_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE artworks (
    id int PRIMARY KEY, on_show boolean NOT NULL DEFAULT true,
    hung_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE sightings (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), visitor_id int NOT NULL,
    artwork_id int NOT NULL REFERENCES artworks ON DELETE CASCADE,
    seen_at timestamptz NOT NULL DEFAULT now(), UNIQUE (visitor_id, artwork_id));
GRANT SELECT ON visitors, artworks, sightings
    TO {APPS_ROLE}, conservator_reader, conservator_healer;
GRANT INSERT, UPDATE ON sightings TO {APPS_ROLE};
GRANT INSERT, DELETE ON sightings TO conservator_healer;
ALTER TABLE visitors ENABLE ROW LEVEL SECURITY;
ALTER TABLE artworks ENABLE ROW LEVEL SECURITY;
ALTER TABLE sightings ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON visitors FOR SELECT TO {APPS_ROLE} USING (id = whoami());
CREATE POLICY everybodys ON artworks FOR SELECT USING (true);
CREATE POLICY own ON sightings FOR SELECT USING (visitor_id = whoami());
CREATE POLICY recorded ON sightings FOR INSERT TO {APPS_ROLE} WITH CHECK (visitor_id = whoami());
CREATE POLICY updated ON sightings FOR UPDATE TO {APPS_ROLE} USING (visitor_id = whoami());
INSERT INTO visitors SELECT n FROM generate_series(1, 8) AS n;
INSERT INTO artworks (id, on_show, hung_at)
SELECT n, n % 7 <> 0, now() - CASE WHEN n <= 2 THEN interval '1 minute'
    WHEN n <= 5 THEN interval '2 days' ELSE interval '30 days' END
FROM generate_series(1, 20) AS n;
INSERT INTO sightings (visitor_id, artwork_id, seen_at)
SELECT v, a, now() - interval '30 seconds'
FROM generate_series(1, 7) AS v, generate_series(1, 20) AS a WHERE (v + a) % 3 > 0;
ANALYZE visitors, artworks, sightings;
"""
ORACLE = """
SELECT count(*) FILTER (WHERE seen),
    count(*) FILTER (WHERE NOT seen AND hung_at > now() - interval '15 minutes'),
    count(*) FILTER (WHERE NOT seen AND hung_at <= now() - interval '15 minutes'
        AND hung_at > now() - interval '7 days'),
    count(*) FILTER (WHERE NOT seen AND hung_at <= now() - interval '7 days')
FROM (
    SELECT a.hung_at, EXISTS (
        SELECT FROM sightings AS s WHERE s.visitor_id = v.id AND s.artwork_id = a.id) AS seen
    FROM visitors AS v CROSS JOIN artworks AS a
    WHERE a.on_show AND EXISTS (SELECT FROM sightings AS s WHERE s.visitor_id = v.id)
) AS pairs
"""
"""The four counts, as the superuser sees the rows."""
