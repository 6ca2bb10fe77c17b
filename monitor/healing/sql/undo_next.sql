-- The next row of a run's ledger: the one that a batch of one row looks at, and steps over.
SELECT
    0 AS taken, 0 AS cleared, 1 AS looked_at, 1 AS users,
    b.user_id AS last_user, b.artwork_id AS last_artwork
FROM {state}.backfilled_impression AS b
WHERE b.run_id = %(undoes)s AND {behind_cursor}
ORDER BY b.user_id, b.artwork_id
LIMIT 1
