-- Sampled rows by their pairs: how many there are, of how many users and artworks, and how many
-- pairs come again.
SELECT
    COALESCE(sum(p.number), 0)::bigint AS rows,
    count(*) AS pairs,
    count(*) FILTER (WHERE p.number > 1) AS repeated,
    count(DISTINCT p.user_id) AS users,
    count(DISTINCT p.artwork_id) AS artworks
FROM (
    SELECT i.{user} AS user_id, i.{artwork} AS artwork_id, count(*) AS number
    FROM {rows} AS i
    WHERE i.{user} IS NOT NULL AND i.{artwork} IS NOT NULL
    GROUP BY i.{user}, i.{artwork}
) AS p
