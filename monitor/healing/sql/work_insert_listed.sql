-- A work list that was selected before: PostgreSQL selects with several processes only where it
-- writes nothing in the same statement. Where the pairs were listed, with the artworks of each user,
-- which are bound side by side with the user's position.
INSERT INTO {state}.work (run_id, position, user_id, found, planned, artworks)
SELECT %(run_id)s, w.position, w.user_id, w.found, w.planned, listed.artworks
FROM unnest(
    %(positions)s::bigint[],
    %(users)s::text[]::{user_cast}[],
    %(found)s::bigint[],
    %(planned)s::bigint[]
) AS w (position, user_id, found, planned)
LEFT JOIN (
    SELECT p.position, array_agg(p.artwork_id) AS artworks
    FROM unnest(%(of_positions)s::bigint[], %(artworks)s::text[]) AS p (position, artwork_id)
    GROUP BY p.position
) AS listed ON listed.position = w.position
