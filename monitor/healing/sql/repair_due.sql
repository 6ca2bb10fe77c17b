-- A part of the statements that mend: the frozen keys of a batch, in the types of their columns. They
-- never leave the server. A probe each, so that the planner knows how many they are whatever is
-- known of our table: of one row it would think that any join will do.
SELECT k.position, k.key, k.version, k.change, {asked_key}
FROM generate_series(%(position)s::bigint + 1, %(last)s::bigint) AS p (position)
CROSS JOIN LATERAL (
    SELECT w.position, w.key, w.version, w.change
    FROM {state}.repair_work AS w
    WHERE w.run_id = %(run_id)s::bigint AND w.position = p.position
    LIMIT 1
) AS k
