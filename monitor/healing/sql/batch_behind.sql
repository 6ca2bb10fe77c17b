-- Opens a batch behind another one, which knows the rest. Our runs' table is held from here on, so
-- that an upgrade of the schema comes before a batch or after it, never between two tables of it.
SELECT now() AS now
FROM {state}.run
WHERE id = %(run_id)s
