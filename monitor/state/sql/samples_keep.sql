-- Samples, many at once. One that is there already keeps its counts, which eroded since, and gets
-- the newer judgement.
INSERT INTO {state}.recording_sample AS s (
    started_at, ended_at, impressions, artworks, seeded, suspect, level
)
SELECT *
FROM unnest(
    %(start)s::timestamptz[], %(end)s::timestamptz[], %(impressions)s::bigint[],
    %(artworks)s::bigint[], %(seeded)s::boolean[], %(suspect)s::boolean[], %(day_factor)s::float8[]
)
ON CONFLICT (started_at) DO UPDATE SET suspect = excluded.suspect, level = excluded.level
