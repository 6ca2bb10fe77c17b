-- The census by counting where the catalogue proves less: duplicates are folded, impressions of
-- users that are not counted are left out by a join. A counted user that has an impression is in
-- either audience, so the join needs no more than the users.
-- Where pairs agree in columns, everything is counted by group: the impressions by artwork and by
-- the group of their user, so that artworks are joined with these counts and not with impressions.
WITH cte_crowd AS MATERIALIZED (
    SELECT count(*) AS users{u_group} FROM {audience} AS u {by_u_group}
),
cte_audience AS {leaf} (
    SELECT coalesce(sum(crowd.users), 0)::bigint AS size FROM cte_crowd AS crowd
),
cte_everybody AS {leaf} (
    SELECT u.* FROM {counted_users} AS u
),
cte_shown AS {leaf} (
    SELECT p.artwork_id, count(*) AS users{u_group}
    FROM {pairs} AS p
    JOIN cte_everybody AS u ON u.id = p.user_id
    GROUP BY p.artwork_id{u_group}
),
cte_counted AS {leaf} (
    SELECT a.* FROM {counted_artworks} AS a
),
cte_artwork AS {leaf} (
    SELECT
        a.id,
        a.created_at,
        coalesce(crowd.users, 0) AS pairs,
        coalesce(shown.users, 0) AS tracked,
        0::bigint AS excused
    FROM cte_counted AS a
    LEFT JOIN cte_crowd AS crowd ON {crowd_agrees}
    LEFT JOIN cte_shown AS shown ON shown.artwork_id = a.id AND {shown_agrees}
)
{result}
