-- The pairs that a slice of a plan would write, selected as a batch selects them.
WITH cte_listed AS MATERIALIZED (
    {missing_pairs}
),
cte_legacy AS MATERIALIZED (
    SELECT a.id, a.created_at FROM {counted_artworks} AS a WHERE {is_legacy}
)
SELECT
    p.user_id::text AS user_id,
    p.artwork_id::text AS artwork_id,
    extract(epoch FROM a.created_at)::float8 AS created
FROM cte_listed AS p
JOIN cte_legacy AS a ON a.id = p.artwork_id
ORDER BY p.user_id, p.artwork_id
