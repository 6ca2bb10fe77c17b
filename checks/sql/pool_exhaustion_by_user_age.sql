-- The same where users have a creation time: legacy artworks older than the user are storage, too.
-- Their number comes from one sorted pass over both timelines (GROUPS excludes ties: created in
-- the same microsecond is not "before"); a user without a creation time was always there.
WITH cte_counted AS {inline} (
    SELECT a.* FROM {counted_artworks} AS a
),
cte_people AS {leaf} (
    SELECT u.* FROM {audience} AS u
),
cte_everybody AS {leaf} (
    SELECT u.* FROM {counted_users} AS u
),
cte_total AS {leaf} (
    SELECT count(*) AS artworks{a_group} FROM cte_counted AS a WHERE NOT {is_legacy} {by_a_group}
),
cte_timeline AS {leaf} (
    SELECT
        t.user_id,
        t.is_user{t_group},
        count(t.artwork) OVER (
            {in_group}
            ORDER BY t.created_at
            GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS earlier_artworks
    FROM (
        SELECT
            u.id AS user_id,
            TRUE AS is_user,
            NULL::int AS artwork,
            coalesce(u.created_at, '-infinity') AS created_at{u_group}
        FROM cte_people AS u
        UNION ALL
        SELECT NULL, FALSE, 1, a.created_at{a_group}
        FROM cte_counted AS a
        WHERE {is_legacy} AND {a_has_group}
    ) AS t
),
cte_seen AS {leaf} (
    SELECT s.user_id, count(*) AS artworks
    FROM (
        SELECT {distinct} i.{user} AS user_id, a.id AS artwork_id
        FROM {impressions} AS i
        JOIN cte_counted AS a ON a.id = i.{artwork}
        JOIN cte_everybody AS u ON u.id = i.{user} AND {agrees}
        WHERE NOT {is_legacy} OR a.created_at < u.created_at
    ) AS s
    GROUP BY s.user_id
),
cte_member AS {leaf} (
    SELECT
        u.user_id,
        coalesce(total.artworks, 0) + u.earlier_artworks AS pool,
        coalesce(seen.artworks, 0) AS seen
    FROM cte_timeline AS u
    LEFT JOIN cte_total AS total ON {total_agrees}
    LEFT JOIN cte_seen AS seen ON seen.user_id = u.user_id
    WHERE u.is_user
)
{result}
