-- Artworks without a creation time, and how many. No census counts them, so nobody heals them.
WITH cte_found AS {leaf} (
    SELECT {artwork_id}::text AS artwork_id
    FROM {artworks_there} AS a
    WHERE {artwork_created} IS NULL
)
SELECT a.artwork_id, count(*) OVER () AS found
FROM cte_found AS a
ORDER BY a.artwork_id
LIMIT %(evidence)s
