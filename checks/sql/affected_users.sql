-- Users of the audience with legacy pairs, and how many each: the legacy artworks minus those
-- that the user has seen; of the user's group, where pairs agree in columns.
WITH cte_legacy_artwork AS {inline} (
    SELECT a.*{artwork_mask} FROM {counted_artworks} AS a WHERE {is_legacy}{once}
),
cte_total AS {leaf} (
    SELECT count(*) AS artworks{a_group} FROM cte_legacy_artwork AS a {by_a_group}
),
cte_people AS {leaf} (
    SELECT u.* FROM {audience} AS u
),
cte_seen AS {leaf} (
    SELECT p.user_id, count(*) AS artworks{seen_mask}
    FROM (
        SELECT i.user_id{a_group}{a_mask}
        FROM {pairs} AS i
        JOIN cte_legacy_artwork AS a ON a.id = i.artwork_id
    ) AS p
    {seen_by_group}
    GROUP BY p.user_id
){listed}
SELECT u.id AS user_id, total.artworks - coalesce(seen.artworks, 0) AS legacy{missing}
FROM cte_people AS u
JOIN cte_total AS total ON {total_agrees}
LEFT JOIN cte_seen AS seen ON seen.user_id = u.id
WHERE total.artworks > coalesce(seen.artworks, 0)
