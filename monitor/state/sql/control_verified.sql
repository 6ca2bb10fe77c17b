-- A verified heal moves the cutoff forward, never back.
UPDATE {state}.control
SET verified_until = greatest(verified_until, %(legacy_until)s), verified_at = now()
