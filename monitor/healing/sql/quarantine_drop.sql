-- Forget these pairs.
DELETE FROM {state}.quarantine AS q
USING unnest(
    %(users)s::text[]::{user_cast}[], %(artworks)s::text[]::{artwork_cast}[]
) AS g (user_id, artwork_id)
WHERE q.user_id = g.user_id AND q.artwork_id = g.artwork_id
