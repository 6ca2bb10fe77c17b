-- The same, each artwork by a probe of an index that leads with it: nothing is grouped, which takes
-- three fifths of the time. PostgreSQL makes no parallel plan of it: two sessions that see the same
-- rows share the artworks (`halves` is 1, and `half` 0 or 1; else both are 0), and are told how many
-- users there are. That an artwork has as many impressions as there are users is cheaper to find
-- than how many it has: rows of the index that are passed over are neither projected nor counted,
-- as long as what is selected of them is used. Whether most have, a few that are counted tell.
WITH cte_audience AS (
    SELECT coalesce(%(audience)s::bigint, (SELECT count(*) FROM {audience} AS u)) AS size
),
cte_counted AS MATERIALIZED (
    SELECT a.id, a.created_at
    FROM {counted_artworks} AS a
    WHERE pg_catalog.hashtext(a.id::text) & %(halves)s = %(half)s
),
cte_expected AS MATERIALIZED (
    SELECT count(*) FILTER (WHERE few.tracked = few.size) * 2 > count(*) AS complete
    FROM (
        SELECT
            audience.size,
            (SELECT count(*) FROM {impressions} AS i WHERE i.{artwork} = a.id) AS tracked
        FROM cte_counted AS a
        CROSS JOIN cte_audience AS audience
        WHERE {is_legacy}
        ORDER BY pg_catalog.hashtext(a.id::text)
        LIMIT 16
    ) AS few
),
cte_artwork AS MATERIALIZED (
    SELECT
        a.id,
        a.created_at,
        audience.size AS pairs,
        CASE
            WHEN expected.complete AND {is_legacy} AND least(audience.size, 1) = (
                SELECT count(last.artwork_id)
                FROM (
                    SELECT i.{artwork} AS artwork_id
                    FROM {impressions} AS i
                    WHERE i.{artwork} = a.id
                    OFFSET greatest(audience.size - 1, 0)
                    LIMIT 2
                ) AS last
            )
                THEN audience.size
            ELSE (SELECT count(*) FROM {impressions} AS i WHERE i.{artwork} = a.id)
        END AS tracked,
        0::bigint AS excused
    FROM cte_counted AS a
    CROSS JOIN cte_audience AS audience
    CROSS JOIN cte_expected AS expected
)
{result}
