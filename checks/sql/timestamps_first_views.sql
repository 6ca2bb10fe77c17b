-- How many artworks were viewed before they existed: the earliest view of each against its
-- creation. One parallel pass over the impressions, which compares nothing a row; a clock that is
-- read in one time zone never shows an earlier moment as a later one, but for the hour it leaves
-- out in spring.
WITH cte_dated AS {leaf} (
    SELECT {artwork_id} AS id, {first_created} - %(skew)s::interval AS possible_from
    FROM {artworks_there} AS a
    WHERE {artwork_created} IS NOT NULL
),
cte_earliest AS {leaf} (
    SELECT first.artwork_id, {last_viewed} AS viewed_at
    FROM (
        SELECT i.{artwork} AS artwork_id, min(i.{viewed_at}) AS {viewed_at}
        FROM {impressions} AS i
        GROUP BY i.{artwork}
    ) AS first
)
SELECT count(*)
FROM cte_dated AS a
JOIN cte_earliest AS v ON v.artwork_id = a.id
WHERE v.viewed_at < a.possible_from
