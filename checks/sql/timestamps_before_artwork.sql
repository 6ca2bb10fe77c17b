-- Impressions viewed before their artwork existed, by artwork, the worst first, and totals over
-- all of them. Asked only where timestamps_first_views found any. What lies in the future besides
-- is counted there alone.
WITH cte_dated AS {leaf} (
    SELECT
        {artwork_id} AS id,
        {artwork_created_moment} AS created_at,
        {first_created} - %(skew)s::interval AS possible_from
    FROM {artworks_there} AS a
    WHERE {artwork_created} IS NOT NULL
),
cte_faults AS {leaf} (
    SELECT a.id, a.created_at, min(v.viewed_at) AS viewed_at, count(*) AS impressions
    FROM cte_dated AS a
    JOIN (
        SELECT
            {artwork} AS artwork_id,
            {viewed_moment} AS viewed_at,
            {first_viewed} AS at_earliest,
            {last_viewed} AS at_latest
        FROM {impressions} AS i
    ) AS v ON v.artwork_id = a.id
    WHERE v.at_latest < a.possible_from AND v.at_earliest <= %(future)s
    GROUP BY a.id, a.created_at
)
SELECT
    b.id::text AS artwork_id,
    extract(epoch FROM b.created_at)::float8 AS created_at,
    extract(epoch FROM b.viewed_at)::float8 AS viewed_at,
    (sum(b.impressions) OVER ())::bigint AS found
FROM cte_faults AS b
ORDER BY b.impressions DESC, b.id::text
LIMIT %(evidence)s
