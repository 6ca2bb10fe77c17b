-- For the rest of this transaction or savepoint the planner looks for contradictions.
SELECT pg_catalog.set_config('constraint_exclusion', 'on', true)
