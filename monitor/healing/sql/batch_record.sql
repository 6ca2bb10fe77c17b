-- One row a batch, for the run's page. Its seconds are those since its transaction began. What a
-- statement of the same trip has inserted, nobody has been told yet.
INSERT INTO {state}.batch (run_id, number, started_at, seconds, users, inserted, size, size_reason)
VALUES (%(run_id)s, %(number)s, now(),
        greatest(0, extract(EPOCH FROM clock_timestamp() - now())), %(users)s,
        coalesce(%(inserted)s, current_setting('conservator.inserted', TRUE)::bigint),
        %(size)s, %(size_reason)s)
