-- The newest artwork that is not in the future. The column is sorted and limited in its own type,
-- so that an index on it is read backwards from its end; the second condition is the exact one.
-- Qualified, because a bare name in ORDER BY would mean the output column of that name.
SELECT a.artwork_id, extract(epoch FROM a.created_at)::float8 AS created_at
FROM (
    SELECT {artwork_id}::text AS artwork_id, {artwork_created_moment} AS created_at
    FROM {artworks_there} AS counted
    WHERE {may_be_created_by_now}
      AND {artwork_created_moment} <= %(future)s
    ORDER BY counted.{artwork_created} DESC
    LIMIT 1
) AS a
