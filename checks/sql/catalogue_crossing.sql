-- How many impressions cross: the user's value of a column that both have is not the artwork's.
-- Beside it, how many would if they met regardless of it: by the shares of the values on either
-- side of these very impressions. Values that only one side has are left out: artworks for
-- everybody often have one of their own, or none.
WITH cte_user AS {leaf} (
    SELECT {user_id} AS id, {users_column} AS value FROM {users_there} AS named
),
cte_artwork AS {leaf} (
    SELECT {artwork_id} AS id, {artworks_column} AS value FROM {artworks_there} AS named
),
cte_seen AS MATERIALIZED (
    SELECT u.value AS of_user, a.value AS of_artwork, count(*) AS impressions
    FROM {impressions} AS i
    JOIN cte_user AS u ON u.id = i.{user}
    JOIN cte_artwork AS a ON a.id = i.{artwork}
    GROUP BY u.value, a.value
),
cte_on_both_sides AS MATERIALIZED (
    SELECT of_user AS value FROM cte_seen
    INTERSECT
    SELECT of_artwork FROM cte_seen
),
cte_compared AS MATERIALIZED (
    SELECT s.of_user, s.of_artwork, s.impressions
    FROM cte_seen AS s
    JOIN cte_on_both_sides AS u ON u.value = s.of_user
    JOIN cte_on_both_sides AS a ON a.value = s.of_artwork
),
cte_by_user AS (
    SELECT c.of_user AS value, sum(c.impressions)::double precision AS impressions
    FROM cte_compared AS c
    GROUP BY c.of_user
),
cte_by_artwork AS (
    SELECT c.of_artwork AS value, sum(c.impressions)::double precision AS impressions
    FROM cte_compared AS c
    GROUP BY c.of_artwork
),
cte_agreeing AS (
    SELECT coalesce(sum(u.impressions * a.impressions), 0) AS products
    FROM cte_by_user AS u
    JOIN cte_by_artwork AS a ON a.value = u.value
),
cte_total AS (
    SELECT
        coalesce(sum(c.impressions), 0)::bigint AS impressions,
        coalesce(sum(c.impressions) FILTER (WHERE c.of_user <> c.of_artwork), 0)::bigint
            AS crossing
    FROM cte_compared AS c
),
cte_apart AS (
    SELECT
        coalesce(sum(s.impressions) FILTER (WHERE s.of_user <> s.of_artwork), 0)::bigint
            AS elsewhere,
        coalesce(
            sum(s.impressions) FILTER (WHERE s.of_user IS NULL OR s.of_artwork IS NULL), 0
        )::bigint AS unvalued
    FROM cte_seen AS s
)
SELECT
    t.impressions,
    t.crossing,
    p.elsewhere,
    p.unvalued,
    coalesce(t.impressions - g.products / nullif(t.impressions, 0), 0)::double precision AS expected
FROM cte_total AS t
CROSS JOIN cte_agreeing AS g
CROSS JOIN cte_apart AS p
