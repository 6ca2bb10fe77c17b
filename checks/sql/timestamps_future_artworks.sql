-- Artworks created in the future, the latest first, and how many; found as future impressions are.
WITH cte_found AS {leaf} (
    SELECT
        {artwork_id}::text AS artwork_id,
        {artwork_created_moment} AS created_at,
        {first_created} AS at_earliest
    FROM {artworks_there} AS a
    WHERE {may_be_created_in_future}
)
SELECT
    a.artwork_id,
    extract(epoch FROM a.created_at)::float8 AS created_at,
    count(*) OVER () AS found
FROM cte_found AS a
WHERE a.at_earliest > %(future)s
ORDER BY a.created_at DESC, a.artwork_id
LIMIT %(evidence)s
