-- The cursor moves by the window that was scanned, whatever was inserted.
UPDATE {state}.run
SET position = %(position)s, artwork_cursor = %(artwork_cursor)s::{artwork_cast},
    batches = batches + 1, inserted = inserted + %(inserted)s,
    quarantined = quarantined + %(quarantined)s,
    writing_seconds = writing_seconds + %(seconds)s,
    waiting_seconds = waiting_seconds + %(waited)s, waiting_for = '',
    lease_until = now() + %(lease)s
WHERE id = %(run_id)s
