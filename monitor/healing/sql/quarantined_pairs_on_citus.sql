-- The same on Citus: each table is read by itself, for the users and artworks in quarantine alone.
WITH cte_aside AS MATERIALIZED (
    SELECT q.user_id, q.artwork_id, q.retry_at FROM {state}.quarantine AS q
),
cte_aside_user AS MATERIALIZED (
    SELECT DISTINCT q.user_id FROM cte_aside AS q
),
cte_aside_artwork AS MATERIALIZED (
    SELECT DISTINCT q.artwork_id FROM cte_aside AS q
),
cte_people AS MATERIALIZED (
    SELECT u.*
    FROM {counted_users} AS u
    JOIN cte_aside_user AS q ON q.user_id = u.id
),
cte_counted AS MATERIALIZED (
    SELECT a.*
    FROM {counted_artworks} AS a
    JOIN cte_aside_artwork AS q ON q.artwork_id = a.id
    WHERE {is_legacy}
),
cte_pair AS MATERIALIZED (
    SELECT u.id AS user_id, a.id AS artwork_id, {judged}
    FROM {candidates}
    JOIN cte_aside AS q ON q.user_id = u.id AND q.artwork_id = a.id
    WHERE {belongs}
    {each_once}
),
cte_seen AS MATERIALIZED (
    SELECT i.{user} AS user_id, i.{artwork} AS artwork_id
    FROM {impressions} AS i
    JOIN cte_aside_user AS q ON q.user_id = i.{user}
),
cte_named AS MATERIALIZED (
    SELECT DISTINCT s.user_id FROM cte_seen AS s
)
SELECT
    q.user_id, q.artwork_id, q.retry_at, p.created_at,
    {everybody_counts} OR named.user_id IS NOT NULL AS in_audience
FROM cte_aside AS q
JOIN cte_pair AS p ON p.user_id = q.user_id AND p.artwork_id = q.artwork_id
LEFT JOIN cte_seen AS s ON s.user_id = q.user_id AND s.artwork_id = q.artwork_id
LEFT JOIN cte_named AS named ON named.user_id = q.user_id
WHERE s.user_id IS NULL
  AND NOT p.excused
