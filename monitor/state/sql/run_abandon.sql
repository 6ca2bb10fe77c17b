-- Per-user runs whose process is gone: what they wrote is in the ledger; the next call goes on.
UPDATE {state}.run
SET state = 'failed', outcome = 'its process ended before it did', finished_at = now()
WHERE kind = 'user' AND repair IS NULL AND state IN ('running', 'held') AND lease_until <= now()
  AND (%(subject)s::text IS NULL OR subject::text = %(subject)s)
