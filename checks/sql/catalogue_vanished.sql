-- Users who lost at least so many of their impressions, and half of them, from one tally to the next,
-- and still lack some; with everything that was missing in that tally, to tell a few users who lost
-- much from a loss that meets everybody. A tally after an undo says nothing: it took rows back.
WITH cte_changed AS (
    SELECT
        t.user_id, t.taken_at, t.impressions,
        lag(t.impressions) OVER by_time AS before,
        last_value(t.impressions) OVER whole AS newest
    FROM {state}.tally_user AS t
    WINDOW
        by_time AS (PARTITION BY t.user_id ORDER BY t.taken_at),
        whole AS (by_time ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
),
cte_tally AS (
    SELECT m.taken_at, lag(m.taken_at) OVER (ORDER BY m.taken_at) AS previous_at
    FROM (SELECT DISTINCT c.taken_at FROM cte_changed AS c) AS m
),
cte_undone AS (
    SELECT DISTINCT y.taken_at
    FROM cte_tally AS y
    JOIN {state}.batch AS b
        ON b.started_at <= y.taken_at AND b.started_at > y.previous_at - interval '1 minute'
    JOIN {state}.run AS r ON r.id = b.run_id
    WHERE r.kind IN ('undo', 'repair') AND b.inserted > 0
),
cte_fallen AS (
    SELECT
        c.taken_at,
        c.before - c.impressions AS missing,
        c.before - c.impressions >= %(least)s AND c.before >= 2 * c.impressions AS at_once,
        c.before,
        least(c.before - c.impressions, c.before - c.newest) AS still_missing
    FROM cte_changed AS c
    LEFT JOIN cte_undone AS undone ON undone.taken_at = c.taken_at
    WHERE c.impressions < c.before AND c.newest IS NOT NULL AND undone.taken_at IS NULL
)
SELECT
    y.previous_at AS after,
    f.taken_at AS until,
    count(*) FILTER (WHERE f.at_once) AS users,
    coalesce(sum(f.before) FILTER (WHERE f.at_once), 0)::bigint AS before,
    coalesce(sum(f.missing) FILTER (WHERE f.at_once), 0)::bigint AS missing,
    coalesce(sum(f.missing) FILTER (WHERE NOT f.at_once), 0)::bigint AS missing_of_others,
    coalesce(sum(greatest(f.still_missing, 0)) FILTER (WHERE f.at_once), 0)::bigint
        AS still_missing,
    (SELECT count(DISTINCT c.user_id) FROM cte_changed AS c) AS everybody
FROM cte_fallen AS f
JOIN cte_tally AS y ON y.taken_at = f.taken_at
GROUP BY y.previous_at, f.taken_at
HAVING bool_or(f.at_once)
ORDER BY f.taken_at DESC
LIMIT 100
