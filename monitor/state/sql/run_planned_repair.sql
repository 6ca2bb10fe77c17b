-- What the frozen keys of a repair add up to.
UPDATE {state}.run AS r SET planned_rows = %(planned)s WHERE r.id = %(run_id)s
