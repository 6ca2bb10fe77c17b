-- Impressions whose user, or artwork, is not there, by the id that is missing: those with the most
-- impressions first, and totals over all of them. The impressions are grouped before they are
-- joined, so that an index-only scan will do; no filter applies, because what the operator leaves
-- out exists nonetheless. A missing id is a NULL group, which finds nobody either.
SELECT
    g.id::text AS id,
    count(*) OVER () AS missing,
    (sum(g.impressions) OVER ())::bigint AS impressions
FROM (
    SELECT i.{column} AS id, count(*) AS impressions
    FROM {impressions} AS i
    GROUP BY i.{column}
) AS g
LEFT JOIN {target} AS t ON t.{target_id} = g.id
WHERE t.{target_id} IS NULL
ORDER BY g.impressions DESC, g.id::text
LIMIT %(evidence)s
