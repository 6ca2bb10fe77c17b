-- What an undo takes back, or a repair deletes, becomes legacy again by our own hand: behind no verified
-- cutoff it counts as appeared.
UPDATE {state}.control
SET verified_until = NULL, verified_at = NULL
WHERE verified_until IS NOT NULL OR verified_at IS NOT NULL
