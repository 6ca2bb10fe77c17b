-- The cursor moves by the ledger rows that were looked at; `position` counts those of this pass that
-- were removed, so that the end knows whether another pass may change anything.
UPDATE {state}.run AS r
SET user_cursor = %(user_cursor)s::{impression_user_cast},
    artwork_cursor = %(artwork_cursor)s::{impression_artwork_cast}::{artwork_cast},
    position = r.position + %(cleared)s, batches = b.number, inserted = r.inserted + b.inserted,
    writing_seconds = r.writing_seconds + b.seconds,
    waiting_seconds = r.waiting_seconds + %(waited)s, waiting_for = '',
    lease_until = now() + %(lease)s
FROM {state}.batch AS b
WHERE r.id = %(run_id)s AND b.run_id = %(run_id)s AND b.number = %(number)s
