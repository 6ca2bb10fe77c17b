-- The census where users have a creation time: a pair whose artwork is older than its user is
-- never legacy. Per artwork, the later users are counted by one sorted pass over both timelines
-- (GROUPS excludes ties: created in the same microsecond is not "before"), and those of them that
-- have seen it nonetheless are taken off. A user without a creation time counts as always there.
WITH cte_people AS MATERIALIZED (
    SELECT u.* FROM {audience} AS u
),
cte_audience AS (
    SELECT count(*) AS size FROM cte_people
),
cte_crowd AS (
    SELECT count(*) AS users{u_group} FROM cte_people AS u {by_u_group}
),
cte_everybody AS {leaf} (
    SELECT u.* FROM {counted_users} AS u
),
cte_counted AS {inline} (
    SELECT a.* FROM {counted_artworks} AS a
),
cte_timeline AS {leaf} (
    SELECT
        t.artwork_id,
        count(t.user_id) OVER (
            {in_group}
            ORDER BY t.created_at DESC
            GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS later_users
    FROM (
        SELECT a.id AS artwork_id, NULL AS user_id, a.created_at{a_group} FROM cte_counted AS a
        UNION ALL
        SELECT NULL, u.id::text, u.created_at{u_group}
        FROM cte_people AS u
        WHERE u.created_at IS NOT NULL AND {u_has_group}
    ) AS t
),
cte_later AS {leaf} (
    SELECT artwork_id, later_users FROM cte_timeline WHERE artwork_id IS NOT NULL
),
cte_shown AS {leaf} (
    SELECT
        p.artwork_id,
        count(*) AS users,
        count(*) FILTER (WHERE u.created_at > a.created_at) AS later_users
    FROM {pairs} AS p
    JOIN cte_everybody AS u ON u.id = p.user_id
    JOIN cte_counted AS a ON a.id = p.artwork_id AND {agrees}
    GROUP BY p.artwork_id
),
cte_artwork AS {leaf} (
    SELECT
        a.id,
        a.created_at,
        coalesce(crowd.users, 0) AS pairs,
        coalesce(shown.users, 0) AS tracked,
        later.later_users - coalesce(shown.later_users, 0) AS excused
    FROM cte_counted AS a
    LEFT JOIN cte_crowd AS crowd ON {crowd_agrees}
    JOIN cte_later AS later ON later.artwork_id = a.id
    LEFT JOIN cte_shown AS shown ON shown.artwork_id = a.id
)
{result}
