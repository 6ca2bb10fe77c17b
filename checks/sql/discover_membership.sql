-- Whether a table of memberships explains which pairs there are: how many sampled rows are of a group
-- that their user belongs to, and of as many users and artworks as are sampled, how many pairs would
-- be if everybody were shown everything.
WITH cte_row AS (
    SELECT i.{user} AS user_id, a.{id} AS artwork_id, a.{group} AS group_id
    FROM {rows} AS i
    JOIN {artworks} AS a ON a.{id} = i.{artwork}
    WHERE a.{group} IS NOT NULL AND ({filter})
), cte_user AS (
    SELECT DISTINCT r.user_id FROM cte_row AS r LIMIT 100
), cte_artwork AS (
    SELECT DISTINCT r.artwork_id, r.group_id FROM cte_row AS r LIMIT 300
), cte_member AS (
    SELECT DISTINCT m.{member} AS user_id, m.{belongs} AS group_id
    FROM {memberships} AS m
    WHERE m.{member} IN (SELECT r.user_id FROM cte_row AS r)
)
SELECT
    (SELECT count(*) FROM cte_row) AS rows,
    (
        SELECT count(*)
        FROM cte_row AS r
        JOIN cte_member AS m ON m.user_id = r.user_id AND m.group_id = r.group_id
    ) AS inside,
    (SELECT count(*) FROM cte_user) * (SELECT count(*) FROM cte_artwork) AS pairs,
    (
        SELECT count(*)
        FROM cte_user AS u
        CROSS JOIN cte_artwork AS a
        JOIN cte_member AS m ON m.user_id = u.user_id AND m.group_id = a.group_id
    ) AS pairs_inside
