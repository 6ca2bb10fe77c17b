-- catalogue_never_seen for Citus: impressions and artworks each by themselves.
WITH cte_seen AS MATERIALIZED (
    SELECT i.{artwork} AS id, count(*) AS impressions
    FROM {impressions} AS i
    GROUP BY i.{artwork}
),
cte_aged AS {leaf} (
    SELECT a.id, a.created_at, coalesce(s.impressions, 0) AS impressions
    FROM {counted_artworks} AS a
    LEFT JOIN cte_seen AS s ON s.id = a.id
    WHERE {is_legacy}
),
cte_beside AS (
    SELECT
        g.impressions,
        least(lag(g.impressions) OVER w, lead(g.impressions) OVER w) AS neighbours
    FROM cte_aged AS g
    WINDOW w AS (ORDER BY g.created_at, g.id)
),
cte_audience AS (
    SELECT count(*) AS users FROM (SELECT DISTINCT i.{user} FROM {impressions} AS i) AS viewers
)
SELECT
    count(*) AS artworks,
    max(n.users) AS users,
    count(*) FILTER (
        WHERE b.impressions = 0 AND 2 * b.neighbours >= n.users
    ) AS never_seen
FROM cte_beside AS b
CROSS JOIN cte_audience AS n
