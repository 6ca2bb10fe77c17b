-- The four counts of one user, in the audience or not. No row where there is no such user.
WITH cte_people AS MATERIALIZED (
    SELECT u.* FROM {counted_users} AS u WHERE u.id = %(user_id)s::{user_cast}
),
cte_seen AS MATERIALIZED (
    SELECT DISTINCT i.{artwork} AS artwork_id
    FROM {impressions} AS i
    WHERE i.{user} = %(user_id)s::{user_cast}
),
cte_history AS MATERIALIZED (
    SELECT count(*) AS artworks FROM cte_seen AS seen
),
cte_counted AS {leaf} (
    SELECT a.* FROM {counted_artworks} AS a
),
cte_pair AS {leaf} (
    SELECT a.id AS artwork_id, {judged}
    FROM {candidates}
    WHERE {belongs} AND {listed_to_user}
    {each_once}
),
cte_artwork AS {leaf} (
    SELECT p.created_at, seen.artwork_id IS NOT NULL AS tracked, p.excused
    FROM cte_pair AS p
    LEFT JOIN cte_seen AS seen ON seen.artwork_id = p.artwork_id
),
cte_counts AS {leaf} (
    SELECT
        count(*) FILTER (WHERE a.tracked) AS tracked,
        count(*) FILTER (WHERE NOT a.tracked AND a.created_at > %(fresh_after)s) AS fresh,
        count(*) FILTER (
            WHERE NOT a.tracked AND a.created_at <= %(fresh_after)s
              AND (NOT {is_legacy} OR a.excused)
        ) AS storage,
        count(*) FILTER (WHERE NOT a.tracked AND {is_legacy} AND NOT a.excused)
            AS legacy_untracked
    FROM cte_artwork AS a
)
SELECT
    {everybody_counts} OR history.artworks > 0 AS in_audience,
    counts.tracked, counts.fresh, counts.storage, counts.legacy_untracked
FROM cte_people
CROSS JOIN cte_history AS history
CROSS JOIN cte_counts AS counts
