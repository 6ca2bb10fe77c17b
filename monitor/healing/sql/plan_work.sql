-- A slice of a plan in the place of the work list that a run would have.
SELECT
    %(run_id)s::bigint AS run_id,
    part.position,
    part.user_id::{user_cast} AS user_id,
    part.planned
FROM unnest(%(users)s::text[], %(planned)s::bigint[])
    WITH ORDINALITY AS part (user_id, planned, position)
