-- The same where users have a creation time: legacy artworks older than the user are storage, too.
-- Their number comes from one sorted pass over both timelines (GROUPS excludes ties: created in
-- the same microsecond is not "before"); a user without a creation time was always there.
WITH counted AS {inline} (
    SELECT a.id, a.created_at FROM {counted_artworks} AS a
),
people AS {leaf} (
    SELECT u.id, u.created_at FROM {audience} AS u
),
everybody AS {leaf} (
    SELECT u.id, u.created_at FROM {counted_users} AS u
),
young AS {leaf} (
    SELECT count(*) AS artworks FROM counted AS a WHERE NOT {is_legacy}
),
timeline AS {leaf} (
    SELECT
        t.user_id,
        t.is_user,
        count(t.artwork) OVER (
            ORDER BY t.created_at
            GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS earlier_artworks
    FROM (
        SELECT
            u.id AS user_id,
            TRUE AS is_user,
            NULL::int AS artwork,
            coalesce(u.created_at, '-infinity') AS created_at
        FROM people AS u
        UNION ALL
        SELECT NULL, FALSE, 1, a.created_at FROM counted AS a WHERE {is_legacy}
    ) AS t
),
seen AS {leaf} (
    SELECT s.user_id, count(*) AS artworks
    FROM (
        SELECT {distinct} i.{user} AS user_id, a.id AS artwork_id
        FROM {impressions} AS i
        JOIN counted AS a ON a.id = i.{artwork}
        JOIN everybody AS u ON u.id = i.{user}
        WHERE NOT {is_legacy} OR a.created_at < u.created_at
    ) AS s
    GROUP BY s.user_id
),
member AS {leaf} (
    SELECT
        t.user_id,
        young.artworks + t.earlier_artworks AS pool,
        coalesce(seen.artworks, 0) AS seen
    FROM timeline AS t
    CROSS JOIN young
    LEFT JOIN seen ON seen.user_id = t.user_id
    WHERE t.is_user
)
{result}
