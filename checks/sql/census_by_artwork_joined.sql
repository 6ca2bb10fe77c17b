-- The census by counting where the catalogue proves less: duplicates are folded, impressions of
-- users that are not counted are left out by a join. A counted user that has an impression is in
-- either audience, so the join needs no more than the users.
WITH audience AS (
    SELECT count(*) AS size FROM {audience} AS u
),
shown AS (
    SELECT p.artwork_id, count(*) AS users
    FROM {pairs} AS p
    JOIN {counted_users} AS u ON u.id = p.user_id
    GROUP BY p.artwork_id
),
artwork AS (
    SELECT
        a.created_at,
        audience.size AS pairs,
        coalesce(shown.users, 0) AS tracked,
        0::bigint AS excused
    FROM {counted_artworks} AS a
    CROSS JOIN audience
    LEFT JOIN shown ON shown.artwork_id = a.id
)
{result}
