-- Affected users that will have fewer unseen fresh and storage artworks than the minimum once
-- their legacy ones are marked as seen: the pool's size minus what they have seen of it.
WITH young AS {inline} (
    SELECT a.id FROM {counted_artworks} AS a WHERE NOT {is_legacy}
),
total AS {leaf} (
    SELECT count(*) AS artworks FROM young
),
seen AS {leaf} (
    SELECT p.user_id, count(*) AS artworks
    FROM {pairs} AS p
    JOIN young AS a ON a.id = p.artwork_id
    GROUP BY p.user_id
)
SELECT count(*) AS users
FROM ({affected_users}) AS affected
CROSS JOIN total
LEFT JOIN seen ON seen.user_id = affected.user_id
WHERE total.artworks - coalesce(seen.artworks, 0) < %(minimum)s
