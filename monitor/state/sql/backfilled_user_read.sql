-- Whether this user was backfilled once already.
SELECT run_id, inserted, backfilled_at
FROM {state}.backfilled_user
WHERE user_id = %(user_id)s::{user_cast}
