-- The best single statement with the list of what it wrote, without which nothing can be taken back.
WITH cte_written AS (
    {floor}
    RETURNING user_id, artwork_id, viewed_at
)
INSERT INTO bench_ledger (run_id, user_id, artwork_id, viewed_at)
SELECT 1, w.user_id, w.artwork_id, w.viewed_at
FROM cte_written AS w
ORDER BY w.user_id, w.artwork_id
