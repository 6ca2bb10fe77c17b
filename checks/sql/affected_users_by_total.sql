-- The same from two totals a user: what each has seen, less what of it are young artworks. All
-- impressions are read from an index that begins with the user, grouped in its order or by a probe a
-- user, and those of the young artworks once more; none is joined with its artwork. Two sessions may
-- share the users, as they do the artworks of a census. Exact where every impression belongs to a
-- counted user and to a counted artwork (`totals_are_exact`).
WITH cte_shown AS MATERIALIZED (
    {shown_of_each}
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
        shown.user_id,
        (SELECT count(*) FROM {counted_artworks} AS a WHERE {is_legacy})
        - shown.artworks + coalesce(young.artworks, 0) AS legacy
    FROM cte_shown AS shown
    LEFT JOIN cte_young AS young ON young.user_id = shown.user_id
    -- Whoever has any impression is of the audience: that every user counts is proved.
    WHERE {everybody_counts} OR shown.artworks > 0
)
SELECT u.user_id, u.legacy FROM cte_user AS u WHERE u.legacy > 0
