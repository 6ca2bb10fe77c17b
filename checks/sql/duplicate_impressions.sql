-- Pairs with several impressions, the worst first, and totals over all of them. Where an index
-- leads with both columns, in the order of {keys}, the groups come out of it without a sort;
-- what is sorted here are the faults alone. An impression that lacks its user or its artwork is
-- no pair, but an orphan.
WITH cte_several AS {leaf} (
    SELECT i.{user} AS user_id, i.{artwork} AS artwork_id, count(*) AS impressions
    FROM {impressions} AS i
    WHERE i.{user} IS NOT NULL AND i.{artwork} IS NOT NULL
    GROUP BY {keys}
    HAVING count(*) > 1
)
SELECT
    d.user_id::text AS user_id,
    d.artwork_id::text AS artwork_id,
    count(*) OVER () AS pairs,
    (sum(d.impressions) OVER ())::bigint AS impressions
FROM cte_several AS d
ORDER BY d.impressions DESC, d.user_id::text, d.artwork_id::text
LIMIT %(evidence)s
