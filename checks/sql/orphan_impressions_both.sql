-- Impressions that lack their user and their artwork, and would be counted twice. Asked only where
-- both kinds were found.
WITH cte_somebody AS {leaf} (
    SELECT {user_id} AS id FROM {users}
),
cte_something AS {leaf} (
    SELECT {artwork_id} AS id FROM {artworks}
)
SELECT count(*)
FROM {impressions} AS i
LEFT JOIN cte_somebody AS u ON u.id = i.{user}
LEFT JOIN cte_something AS a ON a.id = i.{artwork}
WHERE u.id IS NULL AND a.id IS NULL
