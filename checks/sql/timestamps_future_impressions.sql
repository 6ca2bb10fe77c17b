-- Impressions viewed in the future, the latest first, and how many. An index on the column finds
-- the few rows that can be; the second condition is the exact one, and stands beside it: on Citus
-- only what satisfies both leaves its node.
WITH cte_found AS {leaf} (
    SELECT v.*
    FROM (
        SELECT
            {user}::text AS user_id,
            {artwork}::text AS artwork_id,
            {viewed_moment} AS viewed_at,
            {first_viewed} AS at_earliest
        FROM {impressions} AS i
        WHERE {may_be_viewed_in_future}
    ) AS v
    WHERE v.at_earliest > %(future)s
)
SELECT
    v.user_id,
    v.artwork_id,
    extract(epoch FROM v.viewed_at)::float8 AS viewed_at,
    count(*) OVER () AS found
FROM cte_found AS v
ORDER BY v.viewed_at DESC, v.user_id, v.artwork_id
LIMIT %(evidence)s
