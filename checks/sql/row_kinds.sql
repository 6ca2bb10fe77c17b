-- For each kind of impression: its rows, its ids, and how many of these are artworks. Grouped before
-- it is joined, so that an artwork is looked for once a kind; no filter applies, because what the
-- operator leaves out exists nonetheless.
WITH cte_shown AS {leaf} (
    SELECT i.{kind}::text AS kind, i.{artwork} AS id, count(*) AS number
    FROM {impressions} AS i
    GROUP BY i.{kind}, i.{artwork}
),
cte_there AS {leaf} (
    SELECT DISTINCT {artwork_id} AS id FROM {artworks}
)
SELECT
    s.kind,
    sum(s.number)::bigint AS number,
    count(s.id) AS ids,
    count(t.id) AS artworks
FROM cte_shown AS s
LEFT JOIN cte_there AS t ON t.id = s.id
GROUP BY s.kind
ORDER BY number DESC, s.kind
LIMIT %(kinds)s
