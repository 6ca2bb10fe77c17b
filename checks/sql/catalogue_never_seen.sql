-- Artworks old enough for legacy that nobody has seen, although most of the audience has seen those
-- hung just before and just after: what is lost or not recorded is lost for a time, or for some.
-- Where nobody has seen some, and only there, their neighbours are counted, and the users.
WITH cte_aged AS MATERIALIZED (
    SELECT a.id, lag(a.id) OVER w AS id_before, lead(a.id) OVER w AS id_after
    FROM {counted_artworks} AS a
    WHERE {is_legacy}
    WINDOW w AS (ORDER BY a.created_at, a.id)
),
cte_unseen AS MATERIALIZED (
    SELECT g.id_before, g.id_after
    FROM cte_aged AS g
    WHERE NOT EXISTS (SELECT 1 FROM {impressions} AS i WHERE i.{artwork} = g.id)
),
cte_seen AS MATERIALIZED (
    SELECT b.id, count(*) AS impressions
    FROM (
        SELECT u.id_before AS id FROM cte_unseen AS u
        UNION
        SELECT u.id_after FROM cte_unseen AS u
    ) AS b
    JOIN {impressions} AS i ON i.{artwork} = b.id
    GROUP BY b.id
),
cte_beside AS (
    SELECT least(
        CASE WHEN u.id_before IS NOT NULL THEN coalesce(b.impressions, 0) END,
        CASE WHEN u.id_after IS NOT NULL THEN coalesce(a.impressions, 0) END
    ) AS neighbours
    FROM cte_unseen AS u
    LEFT JOIN cte_seen AS b ON b.id = u.id_before
    LEFT JOIN cte_seen AS a ON a.id = u.id_after
),
cte_audience AS (
    SELECT count(*) AS users FROM (SELECT DISTINCT i.{user} FROM {impressions} AS i) AS viewers
    WHERE EXISTS (SELECT 1 FROM cte_unseen)
)
SELECT
    (SELECT count(*) FROM cte_aged) AS artworks,
    max(n.users) AS users,
    count(*) FILTER (WHERE 2 * b.neighbours >= n.users) AS never_seen
FROM cte_beside AS b
CROSS JOIN cte_audience AS n
