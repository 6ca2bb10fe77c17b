-- The same artworks, about to become legacy one after the other.
UPDATE art_sessions AS a
SET created_at = timezone('UTC', now()) - interval '7 days'
    + make_interval(secs => %(lead)s + %(every)s * (c.number - 1))
FROM unnest(%(artworks)s::text[]) WITH ORDINALITY AS c (id, number)
WHERE a.id = c.id
