-- Users whose backfill is taken back may be backfilled at their next login.
DELETE FROM {state}.backfilled_user AS b
WHERE b.run_id = %(undoes)s OR b.user_id = %(subject)s::{user_cast}
