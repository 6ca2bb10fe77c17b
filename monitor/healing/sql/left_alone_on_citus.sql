-- left_alone for Citus: each table by itself. A pair that has a row that counts beside another is
-- found among those that count, and of pairs that something lists, those listed.
WITH cte_people AS MATERIALIZED (
    SELECT u.* FROM {left_to} AS u
),
cte_counted AS MATERIALIZED (
    SELECT a.* FROM {counted_artworks} AS a WHERE {is_legacy}
),
cte_there AS MATERIALIZED (
    SELECT DISTINCT i.{user} AS user_id, i.{artwork} AS artwork_id FROM {uncounted_rows} AS i
),
cte_seen AS MATERIALIZED (
    SELECT DISTINCT i.{user} AS user_id, i.{artwork} AS artwork_id
    FROM {impressions} AS i
    JOIN cte_there AS t ON t.user_id = i.{user} AND t.artwork_id = i.{artwork}
),
cte_pair AS MATERIALIZED (
    SELECT u.id AS user_id, a.id AS artwork_id, {judged}
    FROM {candidates}
    JOIN cte_there AS t ON t.user_id = u.id AND t.artwork_id = a.id
    WHERE {belongs}
    {each_once}
)
SELECT p.user_id, p.artwork_id, p.created_at
FROM cte_pair AS p
LEFT JOIN cte_seen AS s ON s.user_id = p.user_id AND s.artwork_id = p.artwork_id
WHERE NOT p.excused AND s.user_id IS NULL
