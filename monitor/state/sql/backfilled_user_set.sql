-- The once-flag, set when rows were written.
INSERT INTO {state}.backfilled_user AS b (user_id, run_id, inserted, backfilled_at)
VALUES (%(user_id)s::{user_cast}, %(run_id)s, %(inserted)s, now())
ON CONFLICT (user_id) DO UPDATE
SET run_id = excluded.run_id, inserted = b.inserted + excluded.inserted,
    backfilled_at = excluded.backfilled_at
