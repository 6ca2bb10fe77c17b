-- The census where an artwork pairs with its owner only: one row an artwork whose owner is in the
-- audience, and one index probe each. Nothing is read of impressions by others.
WITH people AS MATERIALIZED (
    SELECT u.* FROM {audience} AS u
),
audience AS (
    SELECT count(*) AS size FROM people
),
owned AS (
    SELECT
        a.created_at,
        u.created_at AS user_created_at,
        EXISTS (
            SELECT 1 FROM {impressions} AS i WHERE i.{user} = u.id AND i.{artwork} = a.id
        ) AS seen
    FROM {counted_artworks} AS a
    JOIN people AS u ON {belongs}
),
artwork AS (
    SELECT
        o.created_at,
        1::bigint AS pairs,
        o.seen::int::bigint AS tracked,
        (NOT o.seen AND coalesce(o.user_created_at > o.created_at, FALSE))::int::bigint AS excused
    FROM owned AS o
)
{result}
