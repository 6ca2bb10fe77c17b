-- Real impressions and artworks in a window, its end left out. Moments are converted to what the
-- columns store, so that an index on them answers; of the ledger, too, only the window is read. A
-- row that the ledger lists and that was viewed again since has another viewed_at, and is real.
-- Impressions of any user and any artwork count: recording works or not, whoever is filtered out.
WITH cte_recorded AS {leaf} (
    SELECT count(*) AS impressions
    FROM {impressions} AS i
    LEFT JOIN {synthetic} AS s
        ON s.user_id = i.{user} AND s.artwork_id = i.{artwork} AND s.viewed_at = i.{viewed_at}
    WHERE i.{viewed_at} >= {viewed_start} AND i.{viewed_at} < {viewed_end} AND s.user_id IS NULL
),
cte_created AS {leaf} (
    SELECT count(*) AS artworks
    FROM {artworks} AS a
    WHERE a.{artwork_created} >= {created_start} AND a.{artwork_created} < {created_end}
)
SELECT recorded.impressions AS impressions, created.artworks AS artworks
FROM cte_recorded AS recorded
CROSS JOIN cte_created AS created
