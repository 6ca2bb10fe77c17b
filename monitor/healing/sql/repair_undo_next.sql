-- The next row of a repair's ledger: the one that a batch of one row was refused, and steps over.
SELECT 0 AS taken, 0 AS changed, 1 AS looked_at, b.position AS last_position
FROM {state}.repaired_row AS b
WHERE b.run_id = %(undoes)s AND b.position > %(position)s
ORDER BY b.position
LIMIT 1
