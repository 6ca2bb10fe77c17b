-- The cursor moves by the ledger rows that were looked at; `position` counts those of this pass that
-- were removed, so that the end knows whether another pass may change anything.
UPDATE {state}.run
SET user_cursor = %(user_cursor)s::{impression_user_cast},
    artwork_cursor = %(artwork_cursor)s::{impression_artwork_cast}::{artwork_cast},
    position = position + %(cleared)s, batches = batches + 1, inserted = inserted + %(taken)s,
    writing_seconds = writing_seconds + %(seconds)s,
    waiting_seconds = waiting_seconds + %(waited)s, waiting_for = '',
    lease_until = now() + %(lease)s
WHERE id = %(run_id)s
