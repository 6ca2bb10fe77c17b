-- The census by counting: per artwork, audience size minus its impressions. One index-only scan,
-- no join over the impressions. Exact only where (user, artwork) is unique and every impression
-- belongs to a counted user; the catalogue must prove both.
WITH audience AS (
    SELECT count(*) AS size FROM {audience} AS u
),
shown AS (
    SELECT i.{artwork} AS artwork_id, count(*) AS users
    FROM {impressions} AS i
    GROUP BY i.{artwork}
),
artwork AS (
    SELECT
        a.created_at,
        audience.size AS pairs,
        coalesce(shown.users, 0) AS tracked,
        0::bigint AS excused
    FROM {counted_artworks} AS a
    CROSS JOIN audience
    LEFT JOIN shown ON shown.artwork_id = a.id
)
{result}
