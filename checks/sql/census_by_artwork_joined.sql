-- The census by counting where the catalogue proves less: duplicates are folded, impressions of
-- users that are not counted are left out by a join. A counted user that has an impression is in
-- either audience, so the join needs no more than the users.
WITH audience AS {leaf} (
    SELECT count(*) AS size FROM {audience} AS u
),
everybody AS {leaf} (
    SELECT u.id FROM {counted_users} AS u
),
shown AS {leaf} (
    SELECT p.artwork_id, count(*) AS users
    FROM {pairs} AS p
    JOIN everybody AS u ON u.id = p.user_id
    GROUP BY p.artwork_id
),
counted AS {leaf} (
    SELECT a.id, a.created_at FROM {counted_artworks} AS a
),
artwork AS {leaf} (
    SELECT
        a.created_at,
        audience.size AS pairs,
        coalesce(shown.users, 0) AS tracked,
        0::bigint AS excused
    FROM counted AS a
    CROSS JOIN audience
    LEFT JOIN shown ON shown.artwork_id = a.id
)
{result}
