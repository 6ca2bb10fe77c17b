-- A part of the statements that mend: the ledger rows.
INSERT INTO {state}.repaired_row (run_id, position, repair, key, before, after)
SELECT %(run_id)s::bigint, w.position, %(repair)s::text, w.key, w.before, w.after
FROM cte_written AS w
ORDER BY w.position
RETURNING position
