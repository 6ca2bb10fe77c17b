-- The end of every form of pool_exhaustion. Expects the CTE
--   member (user_id, pool, seen)   one row a user of the audience: artworks that are fresh or in
--                                  storage, or would be had the user not seen them; those seen
SELECT totals.*, least.worst
FROM (
    SELECT
        count(*) AS users,
        count(*) FILTER (WHERE m.pool - m.seen < %(minimum)s) AS exhausted,
        coalesce(sum(m.pool), 0)::bigint AS pool,
        coalesce(sum(m.seen), 0)::bigint AS seen
    FROM cte_member AS m
) AS totals
CROSS JOIN (
    SELECT coalesce(array_agg(w.user_id ORDER BY w.unseen, w.user_id), '{{}}') AS worst
    FROM (
        SELECT m.user_id::text AS user_id, m.pool - m.seen AS unseen
        FROM cte_member AS m
        WHERE m.pool - m.seen < %(minimum)s
        ORDER BY m.pool - m.seen, m.user_id::text
        LIMIT %(evidence)s
    ) AS w
) AS least
