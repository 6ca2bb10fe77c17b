-- What an undo takes back becomes legacy again by our own hand: behind no verified cutoff it counts
-- as appeared.
UPDATE {state}.control SET verified_until = NULL, verified_at = NULL
