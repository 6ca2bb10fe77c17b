-- A pair that could be written after all leaves the quarantine, in the batch that wrote it.
DELETE FROM {state}.quarantine AS q
USING cte_written AS w
WHERE q.user_id = w.user_id AND q.artwork_id = w.artwork_id
