-- An ended repair needs its frozen keys no more.
DELETE FROM {state}.repair_work WHERE run_id = %(run_id)s
