-- The ids that the impressions name, and how many of them are not in the table that they should be
-- in, or are left out there by the operator's filter. Grouped before it is joined: an index-only
-- scan will do.
WITH cte_named AS {leaf} (
    SELECT i.{column} AS id, count(*) AS impressions
    FROM {impressions} AS i
    WHERE i.{column} IS NOT NULL
    GROUP BY i.{column}
),
cte_there AS {leaf} (
    SELECT {target_id} AS id, {filter} AS counts FROM {target}
)
SELECT
    coalesce(sum(n.impressions), 0)::bigint AS impressions,
    count(*) AS ids,
    coalesce(sum(n.impressions) FILTER (WHERE t.counts IS NOT TRUE), 0)::bigint
        AS unknown_impressions,
    count(*) FILTER (WHERE t.counts IS NOT TRUE) AS unknown_ids,
    coalesce(sum(n.impressions) FILTER (WHERE t.id IS NULL), 0)::bigint AS gone_impressions,
    count(*) FILTER (WHERE t.id IS NULL) AS gone_ids
FROM cte_named AS n
LEFT JOIN cte_there AS t ON t.id = n.id
