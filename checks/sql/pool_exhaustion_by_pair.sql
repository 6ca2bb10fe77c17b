-- The same where something lists the pairs: those of the young artworks, and of older ones that are
-- never legacy for this user. A user without any has nothing left.
WITH cte_people AS {inline} (
    SELECT u.* FROM {audience} AS u
),
cte_counted AS {inline} (
    SELECT a.* FROM {pool_artworks} AS a
),
cte_pair AS {inline} (
    SELECT u.id AS user_id, a.id AS artwork_id, {judged}
    FROM {candidates}
    WHERE {belongs}
    {each_once}
),
cte_shown AS {leaf} (
    {shown_pairs}
),
cte_pool AS {leaf} (
    SELECT a.user_id, count(*) AS artworks, count(s.user_id) AS seen
    FROM cte_pair AS a
    LEFT JOIN cte_shown AS s ON s.user_id = a.user_id AND s.artwork_id = a.artwork_id
    WHERE NOT {is_legacy} OR a.excused
    GROUP BY a.user_id
),
cte_member AS {leaf} (
    SELECT u.id AS user_id, coalesce(pool.artworks, 0) AS pool, coalesce(pool.seen, 0) AS seen
    FROM cte_people AS u
    LEFT JOIN cte_pool AS pool ON pool.user_id = u.id
)
{result}
