-- The one batch of each of these runs; the time is the transaction's, shared out by rows.
WITH cte_done AS (
    SELECT done.run_id, done.inserted, done.seconds
    FROM unnest(%(runs)s::bigint[], %(inserted)s::bigint[], %(seconds)s::float8[])
        AS done (run_id, inserted, seconds)
),
cte_batch AS (
    INSERT INTO {state}.batch (run_id, number, started_at, seconds, users, inserted)
    SELECT d.run_id, 1, %(now)s, d.seconds, 1, d.inserted FROM cte_done AS d
)
UPDATE {state}.run AS r
SET writing_seconds = d.seconds
FROM cte_done AS d
WHERE r.id = d.run_id
