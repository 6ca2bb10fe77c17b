-- What no judgement needs any more: values that others had replaced before the look-back began,
-- except the one in force when the last verified heal was planned; and everything of those that
-- had left by then.
DELETE FROM {state}.{tally} AS t
USING (
    SELECT
        o.{tally_id} AS id, o.taken_at,
        lead(o.taken_at) OVER by_time AS replaced_at,
        last_value(o.impressions) OVER whole AS newest,
        last_value(o.taken_at) OVER whole AS newest_at
    FROM {state}.{tally} AS o
    WINDOW
        by_time AS (PARTITION BY o.{tally_id} ORDER BY o.taken_at),
        whole AS (by_time ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
) AS o
WHERE o.id = t.{tally_id}
  AND o.taken_at = t.taken_at
  AND (
      (
          o.replaced_at <= now() - %(window)s
          AND NOT coalesce(
              o.taken_at <= %(verified_at)s::timestamptz AND o.replaced_at > %(verified_at)s, FALSE
          )
      )
      OR (o.newest IS NULL AND o.newest_at <= now() - %(window)s)
  )
