-- The four counts of one user, in the audience or not. No row where there is no such user.
WITH one AS {leaf} (
    SELECT u.id, u.created_at FROM {counted_users} AS u WHERE u.id = %(user_id)s::{user_cast}
),
seen AS MATERIALIZED (
    SELECT DISTINCT i.{artwork} AS artwork_id
    FROM {impressions} AS i
    WHERE i.{user} = %(user_id)s::{user_cast}
),
history AS MATERIALIZED (
    SELECT count(*) AS artworks FROM seen
),
counted AS {leaf} (
    SELECT a.* FROM {counted_artworks} AS a
),
artwork AS {leaf} (
    SELECT
        a.created_at,
        seen.artwork_id IS NOT NULL AS tracked,
        coalesce(u.created_at > a.created_at, FALSE) AS excused
    FROM one AS u
    JOIN counted AS a ON {is_owned}
    LEFT JOIN seen ON seen.artwork_id = a.id
),
counts AS {leaf} (
    SELECT
        count(*) FILTER (WHERE a.tracked) AS tracked,
        count(*) FILTER (WHERE NOT a.tracked AND a.created_at > %(fresh_after)s) AS fresh,
        count(*) FILTER (
            WHERE NOT a.tracked AND a.created_at <= %(fresh_after)s
              AND (NOT {is_legacy} OR a.excused)
        ) AS storage,
        count(*) FILTER (WHERE NOT a.tracked AND {is_legacy} AND NOT a.excused)
            AS legacy_untracked
    FROM artwork AS a
)
SELECT
    {everybody_counts} OR history.artworks > 0 AS in_audience,
    counts.tracked, counts.fresh, counts.storage, counts.legacy_untracked
FROM one
CROSS JOIN history
CROSS JOIN counts
