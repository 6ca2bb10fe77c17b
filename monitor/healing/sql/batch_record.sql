-- One row a batch, for the run's page.
INSERT INTO {state}.batch (run_id, number, started_at, seconds, users, inserted, size, size_reason)
VALUES (%(run_id)s, %(number)s, %(started_at)s, %(seconds)s, %(users)s, %(inserted)s,
        %(size)s, %(size_reason)s)
