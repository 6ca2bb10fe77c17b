-- Whether the ledger still has a row of a run. One probe.
SELECT l.run_id FROM {state}.backfilled_impression AS l WHERE l.run_id = %(run_id)s LIMIT 1
