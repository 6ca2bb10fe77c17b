-- How much each user of the audience has left, where the pool is the same for everybody: the
-- young artworks minus those seen. Their creation is also compared in the column's own type, so
-- that an index and its statistics tell how few they are.
WITH young AS {inline} (
    SELECT a.id FROM {pool_artworks} AS a WHERE NOT {is_legacy}
),
total AS {leaf} (
    SELECT count(*) AS artworks FROM young
),
seen AS {leaf} (
    SELECT s.user_id, count(*) AS artworks
    FROM (
        SELECT {distinct} i.{user} AS user_id, a.id AS artwork_id
        FROM young AS a
        JOIN {impressions} AS i ON i.{artwork} = a.id
    ) AS s
    GROUP BY s.user_id
),
people AS {leaf} (
    SELECT u.id FROM {audience} AS u
),
member AS {leaf} (
    SELECT u.id AS user_id, total.artworks AS pool, coalesce(seen.artworks, 0) AS seen
    FROM people AS u
    CROSS JOIN total
    LEFT JOIN seen ON seen.user_id = u.id
)
{result}
