-- The census that looks at every pair, where something lists them: one pass over the list, hashed
-- with artworks and audience, and with the impressions. Right for everything that can be
-- configured: without a list, every user of the audience is joined with every artwork.
WITH cte_people AS {inline} (
    SELECT u.* FROM {audience} AS u
),
cte_audience AS {leaf} (
    SELECT count(*) AS size FROM cte_people
),
cte_counted AS {inline} (
    SELECT a.* FROM {counted_artworks} AS a
),
cte_pair AS {inline} (
    SELECT u.id AS user_id, a.id AS artwork_id, {judged}
    FROM {candidates}
    WHERE {belongs}
    {each_once}
),
cte_shown AS {leaf} (
    {shown_pairs}
),
cte_judged AS {leaf} (
    SELECT
        p.artwork_id,
        count(*) AS pairs,
        count(s.user_id) AS tracked,
        count(*) FILTER (WHERE s.user_id IS NULL AND p.excused) AS excused
    FROM cte_pair AS p
    LEFT JOIN cte_shown AS s ON s.user_id = p.user_id AND s.artwork_id = p.artwork_id
    GROUP BY p.artwork_id
),
cte_artwork AS {leaf} (
    SELECT
        a.id,
        a.created_at,
        coalesce(j.pairs, 0) AS pairs,
        coalesce(j.tracked, 0) AS tracked,
        coalesce(j.excused, 0) AS excused
    FROM cte_counted AS a
    LEFT JOIN cte_judged AS j ON j.artwork_id = a.id
)
{result}
