-- The four counts from one count(*) of the impressions: what the young artworks have not been
-- shown is found by one index probe each, and everything else belongs to the legacy artworks.
-- Exact only where (user, artwork) is unique, every impression belongs to a counted user and to a
-- counted artwork, and an index leads with the artwork. It can't tell which artworks are legacy:
-- where any pair is, census_by_artwork is asked too, in the same snapshot.
WITH cte_audience AS (
    SELECT count(*) AS size FROM {audience} AS u
),
cte_impressions AS (
    SELECT count(*) AS n FROM {impressions} AS i
),
cte_young AS (
    SELECT
        a.created_at > %(fresh_after)s AS is_fresh,
        (SELECT count(*) FROM {impressions} AS i WHERE i.{artwork} = a.id) AS tracked
    FROM {counted_artworks} AS a
    WHERE NOT {is_legacy}
),
cte_pool AS (
    SELECT
        count(*) FILTER (WHERE y.is_fresh) AS fresh,
        count(*) FILTER (WHERE NOT y.is_fresh) AS storage,
        coalesce(sum(y.tracked) FILTER (WHERE y.is_fresh), 0)::bigint AS fresh_tracked,
        coalesce(sum(y.tracked) FILTER (WHERE NOT y.is_fresh), 0)::bigint AS storage_tracked,
        (SELECT count(*) FROM {counted_artworks} AS a WHERE {is_legacy}) AS legacy
    FROM cte_young AS y
)
SELECT
    audience.size AS audience,
    (SELECT count(*) FROM {counted_users} AS u) AS users,
    audience.size * (pool.fresh + pool.storage + pool.legacy) AS pairs,
    audience.size * pool.legacy
        - (impressions.n - pool.fresh_tracked - pool.storage_tracked) AS least_unseen,
    impressions.n AS tracked,
    audience.size * pool.fresh - pool.fresh_tracked AS fresh,
    audience.size * pool.storage - pool.storage_tracked AS storage,
    audience.size * pool.legacy
        - (impressions.n - pool.fresh_tracked - pool.storage_tracked) AS legacy_untracked,
    0::bigint AS legacy_artworks,
    0::bigint AS appeared,
    NULL::float8 AS oldest_legacy
FROM cte_audience AS audience
CROSS JOIN cte_impressions AS impressions
CROSS JOIN cte_pool AS pool
