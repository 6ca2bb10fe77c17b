-- The four counts from one count(*) of the impressions: what some artworks have not been shown is
-- found by one index probe each, and everything else belongs to the other legacy artworks. Probed
-- are the young ones, and the legacy ones that are younger than `complete_until`, behind which
-- nothing was missing a moment ago: where nothing is missing there now (`unlocated`), all that is
-- missing is known by artwork, and census_by_artwork need not be asked in the same snapshot.
-- Exact only where (user, artwork) is unique, every impression belongs to a counted user and to a
-- counted artwork, and an index leads with the artwork.
WITH cte_audience AS (
    SELECT count(*) AS size FROM {audience} AS u
),
cte_impressions AS (
    SELECT count(*) AS n FROM {impressions} AS i
),
cte_probed AS (
    SELECT
        a.id,
        a.created_at,
        a.created_at > %(fresh_after)s AS is_fresh,
        {is_legacy} AS is_legacy,
        (SELECT count(*) FROM {impressions} AS i WHERE i.{artwork} = a.id) AS tracked
    FROM {counted_artworks} AS a
    WHERE NOT {is_legacy} OR a.created_at > %(complete_until)s::timestamptz
),
cte_pool AS (
    SELECT
        count(*) FILTER (WHERE p.is_fresh) AS fresh,
        count(*) FILTER (WHERE NOT p.is_fresh AND NOT p.is_legacy) AS storage,
        count(*) FILTER (WHERE p.is_legacy) AS aged,
        coalesce(sum(p.tracked) FILTER (WHERE p.is_fresh), 0)::bigint AS fresh_tracked,
        coalesce(sum(p.tracked) FILTER (WHERE NOT p.is_fresh AND NOT p.is_legacy), 0)::bigint
            AS storage_tracked,
        coalesce(sum(p.tracked) FILTER (WHERE p.is_legacy), 0)::bigint AS aged_tracked,
        (SELECT count(*) FROM {counted_artworks} AS a WHERE {is_legacy}) AS legacy
    FROM cte_probed AS p
),
cte_incomplete AS (
    SELECT p.id, p.created_at, audience.size - p.tracked AS missing
    FROM cte_probed AS p
    CROSS JOIN cte_audience AS audience
    WHERE p.is_legacy AND p.tracked <> audience.size
),
cte_rest AS (
    SELECT
        impressions.n - pool.fresh_tracked - pool.storage_tracked AS legacy_tracked,
        audience.size * (pool.legacy - pool.aged) - (
            impressions.n - pool.fresh_tracked - pool.storage_tracked - pool.aged_tracked
        ) AS unlocated
    FROM cte_audience AS audience
    CROSS JOIN cte_impressions AS impressions
    CROSS JOIN cte_pool AS pool
)
SELECT
    audience.size AS audience,
    (SELECT count(*) FROM {counted_users} AS u) AS users,
    audience.size * (pool.fresh + pool.storage + pool.legacy) AS pairs,
    least(
        rest.unlocated, (SELECT min(i.missing) FROM cte_incomplete AS i)
    ) AS least_unseen,
    impressions.n AS tracked,
    pool.fresh_tracked + pool.storage_tracked AS young_tracked,
    audience.size * pool.fresh - pool.fresh_tracked AS fresh,
    audience.size * pool.storage - pool.storage_tracked AS storage,
    audience.size * pool.legacy - rest.legacy_tracked AS legacy_untracked,
    rest.unlocated,
    located.artworks AS legacy_artworks,
    located.appeared,
    located.oldest_legacy,
    (
        SELECT array_agg(few.id::text)
        FROM (SELECT i.id FROM cte_incomplete AS i LIMIT 1001) AS few
    ) AS incomplete
FROM cte_audience AS audience
CROSS JOIN cte_impressions AS impressions
CROSS JOIN cte_pool AS pool
CROSS JOIN cte_rest AS rest
CROSS JOIN (
    SELECT
        count(*) AS artworks,
        coalesce(
            sum(i.missing) FILTER (WHERE i.created_at <= %(verified_until)s::timestamptz), 0
        )::bigint AS appeared,
        extract(epoch FROM min(i.created_at))::float8 AS oldest_legacy
    FROM cte_incomplete AS i
) AS located
