-- The same where something lists the pairs: each legacy one of them that has no impression.
WITH people AS {inline} (
    SELECT u.* FROM {audience} AS u
),
counted AS {inline} (
    SELECT a.* FROM {counted_artworks} AS a WHERE {is_legacy}
),
pair AS {inline} (
    SELECT u.id AS user_id, a.id AS artwork_id, {judged}
    FROM {candidates}
    WHERE {belongs}
    {each_once}
),
shown AS {leaf} (
    {shown_pairs}
)
SELECT p.user_id, count(*) AS legacy
FROM pair AS p
LEFT JOIN shown AS s ON s.user_id = p.user_id AND s.artwork_id = p.artwork_id
WHERE s.user_id IS NULL AND NOT p.excused
GROUP BY p.user_id
