-- The census where an artwork pairs with its owner only: one row an artwork whose owner is in the
-- audience, and one index probe each. Nothing is read of impressions by others.
WITH cte_people AS MATERIALIZED (
    SELECT u.* FROM {audience} AS u
),
cte_audience AS (
    SELECT count(*) AS size FROM cte_people
),
cte_owned AS (
    SELECT
        a.id,
        a.created_at,
        u.created_at AS user_created_at,
        EXISTS (
            SELECT 1 FROM {impressions} AS i WHERE i.{user} = u.id AND i.{artwork} = a.id
        ) AS seen
    FROM {counted_artworks} AS a
    JOIN cte_people AS u ON {belongs}
),
cte_artwork AS (
    SELECT
        o.id,
        o.created_at,
        1::bigint AS pairs,
        o.seen::int::bigint AS tracked,
        (NOT o.seen AND coalesce(o.user_created_at > o.created_at, FALSE))::int::bigint AS excused
    FROM cte_owned AS o
)
{result}
