-- The one batch of each of these runs, the transaction's time shared out by rows; and what was
-- really written, where others were faster with some of the pairs.
WITH cte_done AS (
    SELECT done.run_id, done.inserted, done.fewer, done.seconds
    FROM unnest(
        %(runs)s::bigint[], %(inserted)s::bigint[], %(fewer)s::bigint[], %(seconds)s::float8[]
    ) AS done (run_id, inserted, fewer, seconds)
),
cte_batch AS (
    INSERT INTO {state}.batch (run_id, number, started_at, seconds, users, inserted)
    SELECT d.run_id, 1, %(now)s, d.seconds, 1, d.inserted FROM cte_done AS d
),
cte_flag AS (
    UPDATE {state}.backfilled_user AS b
    SET inserted = b.inserted - d.fewer
    FROM cte_done AS d
    JOIN {state}.run AS r ON r.id = d.run_id
    WHERE d.fewer > 0 AND b.user_id = r.subject
)
UPDATE {state}.run AS r
SET writing_seconds = d.seconds, inserted = d.inserted
FROM cte_done AS d
WHERE r.id = d.run_id
