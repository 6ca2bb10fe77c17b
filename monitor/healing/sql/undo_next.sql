-- The next row of a run's ledger: the one that a batch of one row looks at.
SELECT b.user_id, b.artwork_id
FROM {state}.backfilled_impression AS b
WHERE b.run_id = %(undoes)s AND {behind_cursor}
ORDER BY b.user_id, b.artwork_id
LIMIT 1
