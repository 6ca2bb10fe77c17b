-- A verified heal moves the cutoff forward, never back, and with it the moment of its plan.
UPDATE {state}.control
SET verified_until = greatest(verified_until, %(legacy_until)s),
    verified_at = greatest(verified_at, %(planned_at)s)
