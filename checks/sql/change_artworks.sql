-- What the clock has made of the artworks: who is young, who of these is fresh; the rest are legacy.
SELECT
    count(*) FILTER (WHERE {is_legacy}) AS legacy,
    coalesce(array_agg(a.id::text) FILTER (WHERE NOT {is_legacy}), ARRAY[]::text[]) AS young,
    coalesce(
        array_agg(a.created_at > %(fresh_after)s) FILTER (WHERE NOT {is_legacy}),
        ARRAY[]::boolean[]
    ) AS fresh
FROM {counted_artworks} AS a
