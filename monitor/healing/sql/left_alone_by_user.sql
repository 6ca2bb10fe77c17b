-- How many legacy pairs of each user are put aside, or left alone.
SELECT n.user_id, sum(n.pairs)::bigint AS pairs
FROM (
    SELECT q.user_id, q.pairs
    FROM (
        {quarantined_by_user}
    ) AS q
    UNION ALL
    SELECT l.user_id, count(*)
    FROM (
        {left_alone}
    ) AS l
    GROUP BY l.user_id
) AS n
GROUP BY n.user_id
