-- The same where something lists the pairs: each legacy one of them that has no impression.
WITH cte_people AS {inline} (
    SELECT u.* FROM {audience} AS u
),
cte_counted AS {inline} (
    SELECT a.* FROM {counted_artworks} AS a WHERE {is_legacy}
),
cte_pair AS {inline} (
    SELECT u.id AS user_id, a.id AS artwork_id, {judged}
    FROM {candidates}
    WHERE {belongs}
    {each_once}
),
cte_shown AS {leaf} (
    {shown_pairs}
)
SELECT p.user_id, count(*) AS legacy{missing}
FROM cte_pair AS p
LEFT JOIN cte_shown AS s ON s.user_id = p.user_id AND s.artwork_id = p.artwork_id
WHERE s.user_id IS NULL AND NOT p.excused
GROUP BY p.user_id
