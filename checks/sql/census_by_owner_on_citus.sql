-- census_by_owner for Citus: one inner join finds which of the owned artworks were shown to their
-- owner, on the nodes that have the impressions, and the rest is reckoned with the result.
WITH cte_people AS MATERIALIZED (
    SELECT u.* FROM {audience} AS u
),
cte_audience AS MATERIALIZED (
    SELECT count(*) AS size FROM cte_people
),
cte_counted AS MATERIALIZED (
    SELECT a.* FROM {counted_artworks} AS a
),
cte_owned AS MATERIALIZED (
    SELECT a.id, u.id AS user_id, a.created_at, u.created_at AS user_created_at
    FROM cte_counted AS a
    JOIN cte_people AS u ON {belongs}
),
cte_shown AS MATERIALIZED (
    SELECT DISTINCT i.{user} AS user_id, i.{artwork} AS artwork_id
    FROM {impressions} AS i
    JOIN cte_owned AS o ON o.user_id = i.{user} AND o.id = i.{artwork}
),
cte_artwork AS MATERIALIZED (
    SELECT
        o.id,
        o.created_at,
        1::bigint AS pairs,
        (s.user_id IS NOT NULL)::int::bigint AS tracked,
        (s.user_id IS NULL AND coalesce(o.user_created_at > o.created_at, FALSE))::int::bigint
            AS excused
    FROM cte_owned AS o
    LEFT JOIN cte_shown AS s ON s.user_id = o.user_id AND s.artwork_id = o.id
)
{result}
