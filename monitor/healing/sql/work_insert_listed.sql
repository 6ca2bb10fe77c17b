-- A work list that was selected before: PostgreSQL selects with several processes only where it
-- writes nothing in the same statement.
INSERT INTO {state}.work (run_id, position, user_id, found, planned)
SELECT %(run_id)s, w.position, w.user_id, w.found, w.planned
FROM unnest(
    %(positions)s::bigint[],
    %(users)s::text[]::{user_cast}[],
    %(found)s::bigint[],
    %(planned)s::bigint[]
) AS w (position, user_id, found, planned)
