-- What no judgement needs any more: values that others had replaced before the look-back began,
-- except the one in force when the last verified heal was planned; and everything of those that
-- had left by then. They are deleted where they were found: joined with itself, a table of which the
-- statistics promise a single row would be looked through once for each of its rows.
DELETE FROM {state}.{tally} AS t
WHERE t.ctid = ANY (ARRAY(
    SELECT o.entry
    FROM (
        SELECT
            o.ctid AS entry, o.taken_at,
            lead(o.taken_at) OVER by_time AS replaced_at,
            last_value(o.impressions) OVER whole AS newest,
            last_value(o.taken_at) OVER whole AS newest_at
        FROM {state}.{tally} AS o
        WINDOW
            by_time AS (PARTITION BY o.{tally_id} ORDER BY o.taken_at),
            whole AS (by_time ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
    ) AS o
    WHERE (
            o.replaced_at <= now() - %(window)s
            AND NOT coalesce(
                o.taken_at <= %(verified_at)s::timestamptz AND o.replaced_at > %(verified_at)s, FALSE
            )
        )
        OR (o.newest IS NULL AND o.newest_at <= now() - %(window)s)
))
