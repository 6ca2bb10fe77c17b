-- Real impressions and artworks in a window, its end left out. Moments are converted to what the
-- columns store, so that an index on them answers; of the ledger, too, only the window is read. A
-- row that the ledger lists and that was viewed again since has another viewed_at, and is real.
-- Impressions of any user and any artwork count: recording works or not, whoever is filtered out.
-- A full join, which can only be done by all columns at once: the rows of a batch have one moment,
-- and just after a large run, of which the statistics know nothing yet, PostgreSQL would join each
-- with all of them by that alone.
WITH cte_recorded AS {leaf} (
    SELECT count(*) FILTER (WHERE s.user_id IS NULL) AS impressions
    FROM (
        SELECT i.{user} AS user_id, i.{artwork} AS artwork_id, i.{viewed_at} AS viewed_at
        FROM {impressions} AS i
        WHERE i.{viewed_at} >= {viewed_start} AND i.{viewed_at} < {viewed_end}
    ) AS v
    FULL JOIN {synthetic} AS s
        ON s.user_id = v.user_id AND s.artwork_id = v.artwork_id AND s.viewed_at = v.viewed_at
),
cte_created AS {leaf} (
    SELECT count(*) AS artworks
    FROM {artworks} AS a
    WHERE a.{artwork_created} >= {created_start} AND a.{artwork_created} < {created_end}
)
SELECT recorded.impressions AS impressions, created.artworks AS artworks
FROM cte_recorded AS recorded
CROSS JOIN cte_created AS created
