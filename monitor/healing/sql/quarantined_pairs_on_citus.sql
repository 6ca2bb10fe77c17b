-- The same on Citus: each table is read by itself, for the users and artworks in quarantine alone.
WITH aside AS MATERIALIZED (
    SELECT q.user_id, q.artwork_id, q.retry_at FROM {state}.quarantine AS q
),
aside_user AS MATERIALIZED (
    SELECT DISTINCT q.user_id FROM aside AS q
),
aside_artwork AS MATERIALIZED (
    SELECT DISTINCT q.artwork_id FROM aside AS q
),
people AS MATERIALIZED (
    SELECT u.*
    FROM {counted_users} AS u
    JOIN aside_user AS q ON q.user_id = u.id
),
counted AS MATERIALIZED (
    SELECT a.*
    FROM {counted_artworks} AS a
    JOIN aside_artwork AS q ON q.artwork_id = a.id
    WHERE {is_legacy}
),
pair AS MATERIALIZED (
    SELECT u.id AS user_id, a.id AS artwork_id, {judged}
    FROM {candidates}
    JOIN aside AS q ON q.user_id = u.id AND q.artwork_id = a.id
    WHERE {belongs}
    {each_once}
),
seen AS MATERIALIZED (
    SELECT i.{user} AS user_id, i.{artwork} AS artwork_id
    FROM {impressions} AS i
    JOIN aside_user AS q ON q.user_id = i.{user}
),
named AS MATERIALIZED (
    SELECT DISTINCT s.user_id FROM seen AS s
)
SELECT
    q.user_id, q.artwork_id, q.retry_at, p.created_at,
    {everybody_counts} OR named.user_id IS NOT NULL AS in_audience
FROM aside AS q
JOIN pair AS p ON p.user_id = q.user_id AND p.artwork_id = q.artwork_id
LEFT JOIN seen AS s ON s.user_id = q.user_id AND s.artwork_id = q.artwork_id
LEFT JOIN named ON named.user_id = q.user_id
WHERE s.user_id IS NULL
  AND NOT p.excused
