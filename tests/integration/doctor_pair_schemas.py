"""Galleries in which names alone don't say who is paired with what, each in a schema of its own."""

from __future__ import annotations

_DRAWN = """
SELECT setseed({seed});
CREATE TEMP TABLE drawn ON COMMIT DROP AS
SELECT v, n, random() < CASE
    WHEN n BETWEEN 140 AND 189 THEN 0.15 WHEN n <= 6 THEN 0.3 WHEN n <= 18 THEN 0.6 ELSE 0.95
END AS seen
FROM (SELECT v, n FROM generate_series(1, 100) v, generate_series(1, 300) n ORDER BY v, n) s;
CREATE TEMP TABLE made ON COMMIT DROP AS SELECT n, now() - CASE
    WHEN n <= 6 THEN interval '1 minute' WHEN n <= 18 THEN (n - 6) * interval '11 hours'
    ELSE interval '8 days' + (n - 19) * interval '5 hours'
END AS at FROM generate_series(1, 300) AS n;
"""
"""Who of 100 users saw which of 300 artworks, the last of them made a minute ago; of what was seen
of artworks 140 to 189, most is lost."""


def _gallery(schema: str, seed: float, body: str) -> str:
    return (
        f"BEGIN; CREATE SCHEMA {schema}; SET LOCAL search_path = {schema};"
        f"{_DRAWN.format(seed=seed)}{body} COMMIT;"
    )


COMPANIES = _gallery(
    "companies",
    0.31,
    """
CREATE TABLE companies (id int PRIMARY KEY);
CREATE TABLE people (
    id int PRIMARY KEY, company_id int REFERENCES companies, joined_at timestamptz NOT NULL
);
CREATE TABLE documents (
    id int PRIMARY KEY, held_by int REFERENCES companies, filed_at timestamptz NOT NULL
);
CREATE TABLE readings (
    person_id int NOT NULL REFERENCES people, document_id int NOT NULL REFERENCES documents,
    read_at timestamptz NOT NULL, PRIMARY KEY (person_id, document_id)
);
INSERT INTO companies VALUES (1), (2), (3);
INSERT INTO people SELECT v, 1 + (v > 90)::int, now() - interval '200 days'
    FROM generate_series(1, 100) v;
INSERT INTO documents SELECT n, 1 + (n % 10 = 0)::int, at FROM made;
INSERT INTO readings SELECT v, n, at + interval '30 seconds' FROM drawn JOIN made USING (n)
    WHERE seen AND (v > 90) = (n % 10 = 0);
ANALYZE companies, people, documents, readings;
""",
)
"""Two companies, of 90 people with 270 documents and of 10 with 30."""

TENANTS = _gallery(
    "tenants",
    0.13,
    """
CREATE TABLE studios (id uuid PRIMARY KEY);
CREATE TABLE visitors (
    id uuid PRIMARY KEY, studio_id uuid REFERENCES studios, made_at timestamptz NOT NULL,
    left_at timestamptz, barred_at timestamptz
);
CREATE TABLE artworks (
    id uuid PRIMARY KEY, studio_id uuid NOT NULL REFERENCES studios, title text NOT NULL,
    made_at timestamptz NOT NULL, hung_at timestamptz, binned_at timestamptz
);
CREATE TABLE openings (
    id uuid PRIMARY KEY, artwork_id uuid NOT NULL REFERENCES artworks,
    visitor_id uuid NOT NULL REFERENCES visitors, changed_at timestamptz NOT NULL
);
CREATE INDEX ON openings (artwork_id, visitor_id);
INSERT INTO studios SELECT md5('s' || s)::uuid FROM generate_series(1, 4) s;
INSERT INTO visitors SELECT md5('v' || v)::uuid,
    CASE WHEN v NOT IN (50, 99) THEN
        md5('s' || CASE WHEN v <= 82 THEN 1 ELSE 2 + v % 3 END)::uuid
    END,
    now() - interval '300 days', CASE WHEN v % 34 = 0 THEN now() END,
    CASE WHEN v % 23 = 0 THEN now() END
    FROM generate_series(1, 100) v;
INSERT INTO artworks SELECT md5('a' || n)::uuid,
    md5('s' || CASE WHEN n % 6 = 0 THEN 2 + n / 6 % 3 ELSE 1 END)::uuid, 'artwork ' || n,
    at - interval '1 day', CASE WHEN n % 31 <> 0 THEN at END, CASE WHEN n % 19 = 0 THEN now() END
    FROM made;
INSERT INTO openings
    SELECT md5('o' || v * 1000 + n)::uuid, a.id, w.id, at + interval '40 seconds'
    FROM drawn JOIN made USING (n) JOIN visitors w ON w.id = md5('v' || v)::uuid
    JOIN artworks a ON a.id = md5('a' || n)::uuid AND a.studio_id = w.studio_id WHERE seen;
CREATE VIEW everybody AS SELECT * FROM visitors;
CREATE VIEW everything AS SELECT * FROM artworks;
ANALYZE studios, visitors, artworks, openings;
""",
)
"""Four studios, one large and three small; two visitors in none, and a unique pair that no index
promises."""

CLEARED = _gallery(
    "cleared",
    0.22,
    """
CREATE TABLE visitors (
    id int PRIMARY KEY, barred boolean NOT NULL DEFAULT false,
    keeps_history boolean NOT NULL DEFAULT true, joined_at timestamptz NOT NULL,
    cleared_at timestamptz, last_login_at timestamptz, updated_at timestamptz,
    verified_at timestamptz
);
CREATE TABLE artworks (id int PRIMARY KEY, on_show boolean NOT NULL, hung_at timestamptz NOT NULL);
CREATE TABLE viewings (
    artwork_id int NOT NULL REFERENCES artworks, visitor_id int NOT NULL REFERENCES visitors,
    latest_at timestamptz NOT NULL, PRIMARY KEY (visitor_id, artwork_id)
);
INSERT INTO visitors SELECT v, v % 36 = 0, v % 12 <> 5, now() - interval '200 days', NULL,
    CASE WHEN v % 5 > 0 THEN now() - v * interval '1 hour' END,
    CASE WHEN v % 3 > 0 THEN now() - v % 60 * interval '1 day' END,
    CASE WHEN v % 4 > 0 THEN now() - interval '199 days 20 hours' END
    FROM generate_series(1, 100) v;
INSERT INTO artworks SELECT n, n % 13 <> 0, at FROM made;
INSERT INTO viewings SELECT n, v, at + interval '30 seconds' FROM drawn JOIN made USING (n)
    WHERE seen AND v <= 93 AND v % 12 <> 5;
UPDATE visitors SET cleared_at =
    now() - CASE id % 10 WHEN 2 THEN interval '12 days' ELSE interval '38 days' END
    WHERE id % 10 IN (2, 7) AND id <= 87;
UPDATE visitors SET cleared_at = now() WHERE id IN (92, 93);
DELETE FROM viewings x USING visitors v WHERE v.id = x.visitor_id AND x.latest_at <= v.cleared_at;
INSERT INTO viewings SELECT n, v, now() - interval '2 days' FROM drawn JOIN visitors ON id = v
    WHERE cleared_at < now() - interval '3 days' AND keeps_history AND n > 60 AND (v + n) % 9 = 0
    ON CONFLICT DO NOTHING;
ANALYZE visitors, artworks, viewings;
""",
)
"""Visitors have cleared their history, which `cleared_at` tells, and seen some of it again since;
the other moments are ordinary ones."""

GUESTS = _gallery(
    "guests",
    0.11,
    """
CREATE TABLE people (nr int PRIMARY KEY, closed boolean NOT NULL DEFAULT false);
CREATE TABLE card_holders (people_no int NOT NULL UNIQUE REFERENCES people);
CREATE TABLE works (
    nr int PRIMARY KEY, maker_no int NOT NULL REFERENCES people, hung_at timestamptz NOT NULL
);
CREATE TABLE dealings (
    people_no int NOT NULL REFERENCES people, work_no int NOT NULL REFERENCES works,
    seen_at timestamptz, PRIMARY KEY (people_no, work_no)
);
INSERT INTO people SELECT g, g % 35 = 0 FROM generate_series(1, 500) g;
INSERT INTO card_holders SELECT g FROM generate_series(1, 100) g;
INSERT INTO works SELECT n, 1 + n % 500, at FROM made;
INSERT INTO dealings SELECT v, n, at + interval '30 seconds' FROM drawn JOIN made USING (n)
    WHERE seen;
INSERT INTO dealings SELECT p, n, NULL FROM generate_series(101, 500) p, generate_series(1, 300) n
    WHERE (p * 13 + n * 5) % 10 = 0;
ANALYZE people, card_holders, works, dealings;
""",
)
"""Users are those of the people who hold a card; 12,000 impressions are of the others."""
