-- Put a pair aside for a day, with what the database said.
INSERT INTO {state}.quarantine AS q (
    user_id, artwork_id, run_id, error, first_at, last_at, retry_at
) VALUES (
    %(user_id)s::{user_cast}, %(artwork_id)s::{artwork_cast}, %(run_id)s, %(error)s,
    %(now)s, %(now)s, %(now)s + interval '1 day'
)
ON CONFLICT (user_id, artwork_id) DO UPDATE
SET run_id = excluded.run_id, error = excluded.error, attempts = q.attempts + 1,
    last_at = excluded.last_at, retry_at = excluded.retry_at
