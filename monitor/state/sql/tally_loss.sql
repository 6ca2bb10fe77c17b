-- What one side's tallies say of the time since a moment: the value in force then and every later
-- one. Of what is counted now: the most it had and what is missing of that, both since it came
-- back where it had left meanwhile. Of what left: how much it may have taken along, as often as
-- it left.
WITH cte_considered AS (
    SELECT t.{tally_id} AS id, t.taken_at, t.impressions
    FROM {state}.{tally} AS t
    WHERE t.taken_at > %(since)s
    UNION ALL
    SELECT f.id, f.taken_at, f.impressions
    FROM (
        SELECT DISTINCT ON (t.{tally_id}) t.{tally_id} AS id, t.taken_at, t.impressions
        FROM {state}.{tally} AS t
        WHERE t.taken_at <= %(since)s
        ORDER BY t.{tally_id}, t.taken_at DESC
    ) AS f
),
cte_numbered AS (
    SELECT
        c.id, c.taken_at, c.impressions,
        row_number() OVER newest_first AS number,
        count(*) FILTER (WHERE c.impressions IS NULL) OVER newest_first AS left_later
    FROM cte_considered AS c
    WINDOW newest_first AS (PARTITION BY c.id ORDER BY c.taken_at DESC)
),
cte_one AS (
    SELECT
        max(n.impressions) FILTER (WHERE n.left_later = 0) AS peak,
        max(n.impressions) FILTER (WHERE n.number = 1) AS current,
        max(n.impressions) AS most,
        count(*) FILTER (WHERE n.impressions IS NULL AND n.taken_at > %(since)s) AS leaves
    FROM cte_numbered AS n
    GROUP BY n.id
)
SELECT
    coalesce(sum(o.peak - o.current), 0)::bigint AS missing,
    coalesce(sum(o.peak), 0)::bigint AS peak,
    coalesce(sum(o.most * o.leaves), 0)::bigint AS left_with
FROM cte_one AS o
