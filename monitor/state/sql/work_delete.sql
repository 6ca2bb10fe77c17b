-- An ended run needs its work list no more; one row a user would pile up run by run.
DELETE FROM {state}.work WHERE run_id = %(run_id)s
