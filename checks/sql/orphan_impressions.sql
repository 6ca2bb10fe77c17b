-- Impressions whose user, or artwork, is not there, by the id that is missing: those with the most
-- impressions first, and totals over all of them. The impressions are grouped before they are
-- joined, so that an index-only scan will do; no filter applies, because what the operator leaves
-- out exists nonetheless. A missing id is a NULL group, which finds nobody either.
WITH cte_shown AS {leaf} (
    SELECT i.{column} AS id, count(*) AS impressions
    FROM {impressions} AS i
    GROUP BY i.{column}
),
cte_there AS {leaf} (
    SELECT {target_id} AS id FROM {target}
)
SELECT
    g.id::text AS id,
    count(*) OVER () AS missing,
    (sum(g.impressions) OVER ())::bigint AS impressions
FROM cte_shown AS g
LEFT JOIN cte_there AS t ON t.id = g.id
WHERE t.id IS NULL
ORDER BY g.impressions DESC, g.id::text
LIMIT %(evidence)s
