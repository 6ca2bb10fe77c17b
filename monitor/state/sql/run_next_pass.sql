-- Walk the work list once more: the recount found pairs of the plan still missing; or, of an undo,
-- the ledger: the last pass changed something.
UPDATE {state}.run
SET pass = pass + 1, position = 0, user_cursor = NULL, artwork_cursor = NULL
WHERE id = %(run_id)s AND token = %(token)s AND state = 'running'
RETURNING pass
