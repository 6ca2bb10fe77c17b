-- The same from two totals a user: what each has seen, less what of it are young artworks. All
-- impressions are read in the order of an index that begins with the user, and those of the young
-- artworks once more; none is joined with its artwork. Exact where every impression
-- belongs to a counted user and to a counted artwork (`totals_are_exact`).
WITH cte_shown AS (
    SELECT i.{user} AS user_id, count(*) AS artworks
    FROM {impressions} AS i
    GROUP BY i.{user}
),
cte_young AS (
    SELECT i.{user} AS user_id, count(*) AS artworks
    FROM {impressions} AS i
    -- As an array, so that all are looked up at once, and no page of the table is visited twice.
    WHERE i.{artwork} = ANY (ARRAY(
        SELECT a.id::{artwork_cast} FROM {counted_artworks} AS a WHERE NOT {is_legacy}
    ))
    GROUP BY i.{user}
),
cte_user AS (
    SELECT
        u.id AS user_id,
        total.artworks - coalesce(shown.artworks, 0) + coalesce(young.artworks, 0) AS legacy
    FROM {counted_users} AS u
    CROSS JOIN (
        SELECT count(*) AS artworks FROM {counted_artworks} AS a WHERE {is_legacy}
    ) AS total
    LEFT JOIN cte_shown AS shown ON shown.user_id = u.id
    LEFT JOIN cte_young AS young ON young.user_id = u.id
    -- Whoever has any impression is of the audience: that every user counts is proved.
    WHERE {everybody_counts} OR shown.user_id IS NOT NULL
)
SELECT u.user_id, u.legacy FROM cte_user AS u WHERE u.legacy > 0
