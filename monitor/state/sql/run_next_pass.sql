-- The recount found pairs of the plan still missing: walk the work list once more.
UPDATE {state}.run
SET pass = pass + 1, position = 0, artwork_cursor = NULL
WHERE id = %(run_id)s AND token = %(token)s AND state = 'running'
RETURNING pass
