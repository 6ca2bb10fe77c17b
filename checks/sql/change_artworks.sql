-- What the clock has made of the artworks: who is young, who of these is fresh; the rest are legacy.
-- Who may be young is found by the column itself, so that an index on it answers: with a day to
-- spare, because clocks that are put back make the order of the column another one than that of time.
SELECT
    (SELECT count(*) FROM {counted_artworks} AS a) - count(*) AS legacy,
    coalesce(array_agg(y.id::text), ARRAY[]::text[]) AS young,
    coalesce(array_agg(y.created_at > %(fresh_after)s), ARRAY[]::boolean[]) AS fresh
FROM (SELECT a.id, a.created_at FROM {perhaps_young} AS a WHERE NOT {is_legacy}) AS y
