-- Impressions viewed in the future, the latest first, and how many. An index on the column finds
-- the few rows that can be; the second condition is the exact one.
WITH cte_found AS {leaf} (
    SELECT
        {user}::text AS user_id,
        {artwork}::text AS artwork_id,
        {viewed_moment} AS viewed_at,
        {first_viewed} AS at_earliest
    FROM {impressions} AS i
    WHERE {may_be_viewed_in_future}
)
SELECT
    v.user_id,
    v.artwork_id,
    extract(epoch FROM v.viewed_at)::float8 AS viewed_at,
    count(*) OVER () AS found
FROM cte_found AS v
WHERE v.at_earliest > %(future)s
ORDER BY v.viewed_at DESC, v.user_id, v.artwork_id
LIMIT %(evidence)s
