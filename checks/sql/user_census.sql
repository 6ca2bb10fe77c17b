-- The four counts of one user, in the audience or not. No row where there is no such user.
WITH one AS (
    SELECT u.id, u.created_at, {in_audience} AS in_audience
    FROM {counted_users} AS u
    WHERE u.id = %(user_id)s::{user_cast}
),
seen AS (
    SELECT DISTINCT i.{artwork} AS artwork_id
    FROM {impressions} AS i
    WHERE i.{user} = %(user_id)s::{user_cast}
),
artwork AS (
    SELECT
        a.created_at,
        seen.artwork_id IS NOT NULL AS tracked,
        coalesce(u.created_at > a.created_at, FALSE) AS excused
    FROM one AS u
    JOIN {counted_artworks} AS a ON {is_owned}
    LEFT JOIN seen ON seen.artwork_id = a.id
)
SELECT
    one.in_audience,
    (SELECT count(*) FROM artwork AS a WHERE a.tracked) AS tracked,
    (SELECT count(*) FROM artwork AS a
     WHERE NOT a.tracked AND a.created_at > %(fresh_after)s) AS fresh,
    (SELECT count(*) FROM artwork AS a
     WHERE NOT a.tracked AND a.created_at <= %(fresh_after)s
       AND (NOT {is_legacy} OR a.excused)) AS storage,
    (SELECT count(*) FROM artwork AS a
     WHERE NOT a.tracked AND {is_legacy} AND NOT a.excused) AS legacy_untracked
FROM one
