-- The four counts of one user, in the audience or not. No row where there is no such user.
WITH people AS MATERIALIZED (
    SELECT u.* FROM {counted_users} AS u WHERE u.id = %(user_id)s::{user_cast}
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
pair AS {leaf} (
    SELECT a.id AS artwork_id, {judged}
    FROM {candidates}
    WHERE {belongs} AND {listed_to_user}
    {each_once}
),
artwork AS {leaf} (
    SELECT p.created_at, seen.artwork_id IS NOT NULL AS tracked, p.excused
    FROM pair AS p
    LEFT JOIN seen ON seen.artwork_id = p.artwork_id
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
FROM people
CROSS JOIN history
CROSS JOIN counts
