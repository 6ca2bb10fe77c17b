-- How long a result by cron holds: to the next run that is due and its grace. Null: three intervals.
ALTER TABLE {state}.check_status ADD COLUMN stale_after_seconds double precision;
