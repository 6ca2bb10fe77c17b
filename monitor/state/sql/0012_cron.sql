-- The twelfth revision: how long a result by cron holds.
ALTER TABLE {state}.check_status
    -- To the next run that is due, and its grace. Null: three intervals.
    ADD COLUMN stale_after_seconds double precision
