-- A pair that could be written after all leaves the quarantine, in the batch that wrote it.
DELETE FROM {state}.quarantine AS q
WHERE q.ctid = ANY (ARRAY(
    SELECT p.ctid
    FROM {state}.quarantine AS p
    -- Which can't be a nested loop: of the sizes of its own results the planner knows nothing.
    FULL JOIN cte_written AS w ON w.user_id = p.user_id AND w.artwork_id = p.artwork_id
    WHERE coalesce(w.user_id = p.user_id, FALSE)
))
