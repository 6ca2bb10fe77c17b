-- The cursor moves by the window that was scanned, whatever was inserted. The time that the batch
-- before it was written, too, has been counted with that one.
UPDATE {state}.run AS r
SET position = %(position)s, artwork_cursor = %(artwork_cursor)s::{artwork_cast},
    batches = b.number, inserted = r.inserted + b.inserted,
    quarantined = r.quarantined + %(quarantined)s,
    writing_seconds = r.writing_seconds + greatest(0, b.seconds - greatest(0, extract(EPOCH FROM (
        SELECT p.started_at + make_interval(secs => p.seconds)
        FROM {state}.batch AS p
        WHERE p.run_id = %(run_id)s AND p.number = %(number)s - 1
    ) - now()))),
    waiting_seconds = r.waiting_seconds + %(waited)s, waiting_for = '',
    lease_until = now() + %(lease)s
FROM {state}.batch AS b
WHERE r.id = %(run_id)s AND b.run_id = %(run_id)s AND b.number = %(number)s
