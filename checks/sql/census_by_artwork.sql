-- The census by counting: per artwork, audience size minus its impressions. One index-only scan,
-- no join over the impressions. Exact only where (user, artwork) is unique and every impression
-- belongs to a counted user; the catalogue must prove both.
WITH cte_audience AS {leaf} (
    SELECT count(*) AS size FROM {audience} AS u
),
cte_shown AS {leaf} (
    SELECT i.{artwork} AS artwork_id, count(*) AS users
    FROM {impressions} AS i
    GROUP BY i.{artwork}
),
cte_counted AS {leaf} (
    SELECT a.id, a.created_at FROM {counted_artworks} AS a
),
cte_artwork AS {leaf} (
    SELECT
        a.id,
        a.created_at,
        audience.size AS pairs,
        coalesce(shown.users, 0) AS tracked,
        0::bigint AS excused
    FROM cte_counted AS a
    CROSS JOIN cte_audience AS audience
    LEFT JOIN cte_shown AS shown ON shown.artwork_id = a.id
)
{result}
