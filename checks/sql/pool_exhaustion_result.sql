-- The end of every form of pool_exhaustion. Expects the CTE
--   member (user_id, pool, seen)   one row a user of the audience: artworks that are fresh or in
--                                  storage, or would be had the user not seen them; those seen
SELECT
    count(*) AS users,
    count(*) FILTER (WHERE m.pool - m.seen < %(minimum)s) AS exhausted,
    coalesce(sum(m.pool), 0)::bigint AS pool,
    coalesce(sum(m.seen), 0)::bigint AS seen,
    ARRAY(
        SELECT worst.user_id::text
        FROM member AS worst
        WHERE worst.pool - worst.seen < %(minimum)s
        ORDER BY worst.pool - worst.seen, worst.user_id::text
        LIMIT %(evidence)s
    ) AS worst
FROM member AS m
