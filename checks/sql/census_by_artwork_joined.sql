-- The census by counting where the catalogue proves less: duplicates are folded, impressions of
-- users that are not counted are left out by a join. A counted user that has an impression is in
-- either audience, so the join needs no more than the users.
-- Where pairs agree in columns, everything is counted by group: the impressions by artwork and by
-- the group of their user, so that artworks are joined with these counts and not with impressions.
WITH crowd AS MATERIALIZED (
    SELECT count(*) AS users{u_group} FROM {audience} AS u {by_u_group}
),
audience AS {leaf} (
    SELECT coalesce(sum(crowd.users), 0)::bigint AS size FROM crowd
),
everybody AS {leaf} (
    SELECT u.* FROM {counted_users} AS u
),
shown AS {leaf} (
    SELECT p.artwork_id, count(*) AS users{u_group}
    FROM {pairs} AS p
    JOIN everybody AS u ON u.id = p.user_id
    GROUP BY p.artwork_id{u_group}
),
counted AS {leaf} (
    SELECT a.* FROM {counted_artworks} AS a
),
artwork AS {leaf} (
    SELECT
        a.created_at,
        coalesce(crowd.users, 0) AS pairs,
        coalesce(shown.users, 0) AS tracked,
        0::bigint AS excused
    FROM counted AS a
    LEFT JOIN crowd ON {crowd_agrees}
    LEFT JOIN shown ON shown.artwork_id = a.id AND {shown_agrees}
)
{result}
