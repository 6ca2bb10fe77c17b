-- `find` names few enough rows again: what was accepted is accepted no more.
UPDATE {state}.repair_control SET accepted_rows = NULL WHERE repair = %(repair)s
