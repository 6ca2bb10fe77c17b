-- How much each user of the audience has left, where the pool is the same for everybody, or for all
-- of a group: the young artworks minus those seen, of all of them or of those that are bound. Their
-- creation is also compared in the column's own type, so that an index and its statistics tell how
-- few they are.
WITH cte_young AS {inline} (
    SELECT a.* FROM {pool_artworks} AS a WHERE NOT {is_legacy} AND {is_asked}
),
cte_total AS {leaf} (
    SELECT count(*) AS artworks{a_group} FROM cte_young AS a {by_a_group}
),
cte_people AS {leaf} (
    SELECT u.* FROM {audience} AS u
),
cte_seen AS {leaf} (
    SELECT p.user_id, count(*) AS artworks
    FROM (
        {young_shown}
    ) AS p
    {seen_by_group}
    GROUP BY p.user_id
),
cte_member AS {leaf} (
    SELECT
        u.id AS user_id,
        coalesce(total.artworks, 0) AS pool,
        coalesce(seen.artworks, 0) AS seen
    FROM cte_people AS u
    LEFT JOIN cte_total AS total ON {total_agrees}
    LEFT JOIN cte_seen AS seen ON seen.user_id = u.id
)
{result}
