-- A part of the statements that take a repair back: the next rows of its ledger.
SELECT k.position, k.before, k.after, {asked_key}
FROM {state}.repaired_row AS k
WHERE k.run_id = %(undoes)s AND k.position > %(position)s
ORDER BY k.position
LIMIT %(limit)s
