-- The same where users have a creation time: only artworks not older than the user can be legacy.
-- Their number comes from one sorted pass over both timelines; ties count (not "before").
WITH cte_legacy_artwork AS {inline} (
    SELECT a.*{artwork_mask} FROM {counted_artworks} AS a WHERE {is_legacy}{once}
),
cte_people AS MATERIALIZED (
    SELECT u.* FROM {audience} AS u
),
cte_everybody AS {leaf} (
    SELECT u.* FROM {counted_users} AS u
),
cte_timeline AS {leaf} (
    SELECT
        t.user_id,
        count(t.artwork) OVER (
            {in_group}
            ORDER BY t.created_at DESC
            GROUPS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS artworks
    FROM (
        SELECT
            u.id AS user_id,
            NULL::int AS artwork,
            coalesce(u.created_at, '-infinity') AS created_at{u_group}
        FROM cte_people AS u
        WHERE {u_has_group}
        UNION ALL
        SELECT NULL, 1, a.created_at{a_group} FROM cte_legacy_artwork AS a
    ) AS t
),
cte_seen AS {leaf} (
    SELECT p.user_id, count(*) AS artworks{seen_mask}
    FROM {pairs} AS p
    JOIN cte_everybody AS u ON u.id = p.user_id
    JOIN cte_legacy_artwork AS a ON a.id = p.artwork_id AND {agrees}
    WHERE coalesce(u.created_at, '-infinity') <= a.created_at
    GROUP BY p.user_id
){listed}
SELECT t.user_id, t.artworks - coalesce(seen.artworks, 0) AS legacy{missing}
FROM cte_timeline AS t
LEFT JOIN cte_seen AS seen ON seen.user_id = t.user_id
WHERE t.user_id IS NOT NULL AND t.artworks > coalesce(seen.artworks, 0)
