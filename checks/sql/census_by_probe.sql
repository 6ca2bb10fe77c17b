-- The same, each artwork by a probe of an index that leads with it: nothing is grouped, which takes
-- three fifths of the time. PostgreSQL makes no parallel plan of it: two sessions that see the same
-- rows share the artworks (`halves` is 1, and `half` 0 or 1; else both are 0), and are told how many
-- users there are.
WITH cte_audience AS (
    SELECT coalesce(%(audience)s::bigint, (SELECT count(*) FROM {audience} AS u)) AS size
),
cte_counted AS (
    SELECT a.id, a.created_at
    FROM {counted_artworks} AS a
    WHERE pg_catalog.hashtext(a.id::text) & %(halves)s = %(half)s
),
cte_artwork AS MATERIALIZED (
    SELECT
        a.id,
        a.created_at,
        audience.size AS pairs,
        (SELECT count(*) FROM {impressions} AS i WHERE i.{artwork} = a.id) AS tracked,
        0::bigint AS excused
    FROM cte_counted AS a
    CROSS JOIN cte_audience AS audience
)
{result}
